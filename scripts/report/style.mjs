// style.mjs: how a backend looks, the same in every chart of every run: a colour, a dash and a
// symbol. Colour tells the family (readiness scans warm, epoll blue, completions green, libraries
// violet, threads and processes brown), dash and symbol the member, so that a grey print can still be
// read. A name that is not in the table takes the next spare look in the order of sorted names.

const SYMBOLS = {
  circle: 'M0,5A5,5 0 1 0 10,5A5,5 0 1 0 0,5Z',
  square: 'M0.7,0.7L9.3,0.7L9.3,9.3L0.7,9.3Z',
  diamond: 'M5,-0.6L10.6,5L5,10.6L-0.6,5Z',
  up: 'M5,-0.3L10.4,9.2L-0.4,9.2Z',
  down: 'M-0.4,0.8L10.4,0.8L5,10.3Z',
  left: 'M9.2,-0.4L9.2,10.4L-0.3,5Z',
  right: 'M0.8,-0.4L10.3,5L0.8,10.4Z',
  plus: 'M3,0L7,0L7,3L10,3L10,7L7,7L7,10L3,10L3,7L0,7L0,3L3,3Z',
  cross: 'M2,0L5,3L8,0L10,2L7,5L10,8L8,10L5,7L2,10L0,8L3,5L0,2Z',
  hexagon: 'M2.5,0.3L7.5,0.3L10.2,5L7.5,9.7L2.5,9.7L-0.2,5Z',
  bar: 'M3.2,-0.5L6.8,-0.5L6.8,10.5L3.2,10.5Z',
};
const SOLID = [];
const DASH = [7, 3];
const DOT = [2, 2.5];
const DASHDOT = [8, 3, 2, 3];

// name: [light mode, dark mode, dash, symbol]
const LOOKS = {
  select: ['#a8430f', '#f08a55', DOT, 'up'],
  poll: ['#8f6400', '#e3b341', DASH, 'down'],
  ppoll: ['#b06f1f', '#f5c77e', DOT, 'bar'],
  sigio: ['#6f7a12', '#c9d44a', DASHDOT, 'left'],
  'epoll-lt': ['#1756b8', '#79a9f5', SOLID, 'circle'],
  'epoll-et': ['#00758f', '#4cc4dd', SOLID, 'diamond'],
  'epoll-oneshot': ['#4a5fc9', '#9aa9ff', DASHDOT, 'square'],
  uring: ['#13703f', '#57c98a', SOLID, 'square'],
  'uring-multishot': ['#4d7a00', '#a3d14f', DASH, 'hexagon'],
  libevent: ['#7a2f9e', '#c792e9', SOLID, 'up'],
  'libevent-buffer': ['#b04a9c', '#f2a3e0', DASH, 'up'],
  libev: ['#a3257f', '#f08bcb', DASH, 'left'],
  libuv: ['#5a3fc0', '#b0a0ff', DOT, 'right'],
  spin: ['#b81f35', '#ff8090', DASHDOT, 'cross'],
  'epoll-spin': ['#d0492b', '#ff9c80', DASH, 'diamond'],
  threads: ['#5d5346', '#c9bba8', SOLID, 'plus'],
  pool: ['#7a5c3e', '#d9b48c', DASH, 'bar'],
  fork: ['#44525c', '#a9bac6', DOT, 'hexagon'],
  prefork: ['#3f6470', '#93c3d1', DASHDOT, 'diamond'],
  iterative: ['#2b2f33', '#dfe3e6', DOT, 'cross'],
};
const ALIASES = {
  epoll: 'epoll-lt',
  io_uring: 'uring',
  'io-uring': 'uring',
  thread: 'threads',
};
const SPARE = [
  ['#6b2d2d', '#e0a3a3', DASH, 'circle'],
  ['#2d6b66', '#8fd6cf', DASHDOT, 'up'],
  ['#6b5a00', '#d8c860', DOT, 'square'],
  ['#8a1c5c', '#f2a0cf', DASHDOT, 'down'],
  ['#30507a', '#a6c4ea', DASH, 'plus'],
  ['#54702d', '#bcd890', DOT, 'diamond'],
];

export const THEMES = {
  light: {
    dark: false,
    paper: '#ffffff',
    ink: '#1c2126',
    muted: '#646c74',
    grid: '#e6e8ea',
    axis: '#9aa1a8',
    faint: '#cdd1d5',
    better: '#0e6b3c',
    worse: '#a4331c',
    heat: ['#eef3f8', '#8fb4d9', '#2f6db0', '#0c2f5c'],
  },
  dark: {
    dark: true,
    paper: '#15181b',
    ink: '#e4e6e8',
    muted: '#9aa2aa',
    grid: '#2a2f34',
    axis: '#666e76',
    faint: '#3d434a',
    better: '#6fd09b',
    worse: '#f0917a',
    heat: ['#1d252d', '#2b5480', '#5f9ad8', '#dbeaff'],
  },
};
export const FONT = 'system-ui,Segoe UI,Roboto,Helvetica Neue,Arial,sans-serif';

// labels: [{name, backend}]. Returns label name -> {light, dark, dash, symbol}. The second label of
// a backend (the twin of an A/A pair, or another set of options) keeps its colour and is dotted.
export function looks(labels) {
  const known = (backend) => {
    const name = Object.hasOwn(ALIASES, backend) ? ALIASES[backend] : backend;
    return Object.hasOwn(LOOKS, name) ? LOOKS[name] : null;
  };
  const others = [...new Set(labels.map((l) => l.backend))].filter((b) => !known(b)).sort();
  const result = new Map();
  const seen = new Set();
  for (const { name, backend } of labels) {
    const look = known(backend) ?? SPARE[others.indexOf(backend) % SPARE.length];
    const twin = seen.has(backend) && name !== backend;
    seen.add(backend);
    const [light, dark, dash, symbol] = look;
    result.set(name, { light, dark, dash: twin ? [1, 4] : dash, symbol: SYMBOLS[symbol] });
  }
  return result;
}
// Labels in the order of the table, then the others by name; a twin comes after its like.
export function inOrder(labels) {
  const names = Object.keys(LOOKS);
  const place = (backend) => {
    const at = names.indexOf(Object.hasOwn(ALIASES, backend) ? ALIASES[backend] : backend);
    return at < 0 ? names.length : at;
  };
  const text = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return [...labels].sort(
    (a, b) =>
      place(a.backend) - place(b.backend) ||
      text(a.backend, b.backend) ||
      (b.name === b.backend) - (a.name === a.backend) ||
      text(a.name, b.name),
  );
}
export const colourOf = (look, theme) => (theme.dark ? look.dark : look.light);
