// words.mjs: how the columns of a run directory are named for people: metrics with their units and
// direction, parameters, flags, verdicts; and how numbers are printed. Used in node and in the page.
// Values are only printed here, never changed.

const METRICS = {
  host_cpu_us_per_req: ['CPU per request, server and load', 'µs', 'lower'],
  server_cpu_us_per_req: ['Server CPU per request', 'µs', 'lower'],
  client_cpu_us_per_req: ['Load CPU per request', 'µs', 'lower'],
  completed_per_s: ['Throughput', 'requests/s', 'higher'],
  capacity_per_s: ['Capacity', 'messages/s', 'higher'],
  server_user_us_per_req: ['User CPU per request', 'µs', 'lower'],
  server_system_us_per_req: ['System CPU per request', 'µs', 'lower'],
  floor_ratio: ['Server CPU over the floor', '×', 'lower'],
  response_p50_us: ['Response time, median', 'µs', 'lower'],
  response_p90_us: ['Response time, p90', 'µs', 'lower'],
  response_p95_us: ['Response time, p95', 'µs', 'lower'],
  response_p99_us: ['Response time, p99', 'µs', 'lower'],
  response_p999_us: ['Response time, p99.9', 'µs', 'lower'],
  response_max_us: ['Response time, longest', 'µs', 'lower'],
  service_p50_us: ['Service time, median', 'µs', 'lower'],
  service_p99_us: ['Service time, p99', 'µs', 'lower'],
  service_p999_us: ['Service time, p99.9', 'µs', 'lower'],
  slip_p99_us: ['Lateness of the load, p99', 'µs', 'lower'],
  connect_p50_us: ['Connect time, median', 'µs', 'lower'],
  connect_p99_us: ['Connect time, p99', 'µs', 'lower'],
  connect_max_us: ['Connect time, longest', 'µs', 'lower'],
  syscalls_per_req: ['System calls per request', '', 'lower'],
  context_switches_per_req: ['Context switches per request', '', 'lower'],
  events_per_wait: ['Events per wait', '', 'higher'],
  rss_bytes_per_conn: ['Process memory per connection', 'B', 'lower'],
  kernel_bytes_per_conn: ['Kernel memory per connection', 'B', 'lower'],
  task_bytes_per_conn: ['Kernel stacks and page tables per connection', 'B', 'lower'],
  fairness_jain: ['Fairness (Jain)', '', 'higher'],
  never_served: ['Connections never served', '', 'lower'],
  bytes_per_s: ['Bytes echoed', 'B/s', 'higher'],
  server_cores_used: ['Server cores used', '', 'lower'],
  client_cores_used: ['Load cores used', '', 'lower'],
  others_cores_used: ['Cores used by other programs', '', 'lower'],
  client_rss_bytes_per_conn: ['Load memory per connection', 'B', 'lower'],
  idle_held: ['Idle connections held', '', 'higher'],
  connecting_s: ['Time to connect all', 's', 'lower'],
  closing_s: ['Time to close all', 's', 'lower'],
  work_us_per_req: ['Work added to each request', 'µs', 'lower'],
  floor_us: ['Floor: bare recv and send', 'µs', 'lower'],
  tcp_retransmits: ['TCP retransmits', '', 'lower'],
  listen_overflows: ['Listen queue overflows', '', 'lower'],
  steal_pct: ['Steal', '%', 'lower'],
};

function unitOf(key) {
  if (/_us(_|$)/.test(key)) return 'µs';
  if (/bytes/.test(key)) return 'B';
  return /_per_s$/.test(key) ? '/s' : '';
}

// {key, title, unit, better}: better is 'lower' or 'higher'.
export function metric(key) {
  const known = Object.hasOwn(METRICS, key) ? METRICS[key] : null;
  const [title, unit, better] = known ?? [key.replaceAll('_', ' '), unitOf(key), 'lower'];
  return { key, title, unit, better };
}
export const METRIC_KEYS = Object.keys(METRICS);

export const PARAMETERS = {
  connections: 'connections',
  idle_connections: 'idle connections',
  offered_per_s: 'offered requests/s',
  payload_bytes: 'payload bytes',
  depth: 'depth',
  workers: 'workers',
  threads: 'load threads',
  transport: 'transport',
  mode: 'mode',
  loop: 'loop',
  arrival: 'arrival',
};
export const parameter = (key) =>
  Object.hasOwn(PARAMETERS, key) ? PARAMETERS[key] : key.replaceAll('_', ' ');

// The fields of summary.csv that the report shows, in the order of its model.
export const SUMMARY_FIELDS = [
  ...['n', 'median', 'low', 'high', 'ratio', 'ratio_low', 'ratio_high', 'p_adjusted', 'verdict'],
  ...['rank_low', 'rank_high', 'best', 'noise', 'detectable'],
];
// What a request costs: the host, and its two parts.
export const FOREST = ['host_cpu_us_per_req', 'server_cpu_us_per_req', 'client_cpu_us_per_req'];

// ---- Flags and verdicts ------------------------------------------------------------------------
//
// Decided in bench/results/metrics.c and results/README.md; tests/report/words.test.mjs holds these
// tables to them.

// A flag voids classes of metrics: how fast it was, how evenly that was shared, what a request
// cost, what a connection took.
function classOf(key) {
  if (key === 'fairness_jain') return 'share';
  if (/^(rss|kernel|task)_bytes_per_conn$/.test(key)) return 'memory';
  return /_per_req$|_cores_used$|^events_per_wait$|^floor/.test(key) ? 'cpu' : 'speed';
}
const SPEED = ['speed', 'share'];
const EVERYTHING = [...SPEED, 'cpu', 'memory'];
// flag: [what it means, the classes it voids]
const FLAGS = {
  client_bound: ['the load was busier than the server: it, not the server, set the pace', []],
  load_limited: ['near the rate that was found the load was the limit: it is a lower bound', ['speed']],
  rate_missed: ['less than 99 % of the offered rate was sent', SPEED],
  slip_high: ['the load itself was late', SPEED],
  unanswered: ['messages were sent and never answered', SPEED],
  datagrams_lost: ['too many datagrams were lost', SPEED],
  in_turn: ['one connection is served at a time, and the others were still waiting', ['speed']],
  shared_core: ['server and load shared a core', SPEED],
  littles_law: ['connections, throughput and response time contradict each other', SPEED],
  short_of_connections: ['not all connections could be held open and served', EVERYTHING],
  errors: ['connections broke or bytes were wrong', EVERYTHING],
  noisy_host: ['other programs kept the host busy, or CPU time was stolen', []],
  floor_broken: ['the server used less CPU than a bare recv and send, which cannot be', []],
  server_exit: ['the server did not end with exit status 0', []],
  halves_differ: ['the two halves of the trial differ by more than the noise', []],
  outlier: ['far from the other launches of its cell; kept', []],
};
export const FLAG_KEYS = Object.keys(FLAGS);
export const flagWords = (flag) =>
  Object.hasOwn(FLAGS, flag) ? FLAGS[flag][0] : 'see results/README.md';
export const flagVoids = (flag, key) =>
  Object.hasOwn(FLAGS, flag) && FLAGS[flag][1].includes(classOf(key));

// What limits a label in a cell (column `regime`). Where it is the load, throughput and latency are
// the load's own.
export const regimeVoids = (regime, key) =>
  regime === 'client-bound' &&
  /^((completed|bytes)_per_s|(response|service)_.*|fairness_jain)$/.test(key);

// A verdict of summary.csv or `muxbench compare`: what it means, how it looks, whether it is a
// proven difference, and the sign of those that are not where there is no room for the word.
const VERDICTS = {
  baseline: { words: 'the baseline', style: 'level', proven: false, sign: '' },
  better: { words: 'better', style: 'better', proven: true, sign: '' },
  worse: { words: 'worse', style: 'worse', proven: true, sign: '' },
  equivalent: { words: 'equivalent', style: 'level', proven: false, sign: '=' },
  undecided: { words: 'undecided', style: 'level', proven: false, sign: '?' },
  void: {
    words: 'flags or the A/A twin forbid a claim',
    style: 'level',
    proven: false,
    sign: '',
  },
  '': { words: 'too few launches for a claim', style: 'level', proven: false, sign: '' },
};
export const VERDICT_KEYS = Object.keys(VERDICTS);
export const PROVEN_KEYS = VERDICT_KEYS.filter((key) => VERDICTS[key].proven);
export const verdict = (key) =>
  Object.hasOwn(VERDICTS, key)
    ? VERDICTS[key]
    : { words: key, style: 'level', proven: false, sign: '' };
export const SIGN_LEGEND = VERDICT_KEYS.filter((key) => VERDICTS[key].sign !== '')
  .map((key) => `${VERDICTS[key].sign}: ${VERDICTS[key].words}`)
  .join('; ');

// What became of a trial, from best to worst. The first two were measured.
const STATUSES = ['ok', 'invalid', 'skipped', 'failed'];
export const isMeasured = (status) => status === 'ok' || status === 'invalid';
export const worseStatus = (a, b) => (STATUSES.indexOf(b) > STATUSES.indexOf(a) ? b : a);

// ---- Numbers ---------------------------------------------------------------------------------

function digits(v, figures = 3) {
  if (v === 0) return '0';
  const whole = Math.floor(Math.log10(Math.abs(v))) + 1;
  return v.toFixed(Math.min(6, Math.max(0, figures - whole)));
}
export function grouped(v) {
  const [whole, part] = String(v).split('.');
  const commas = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return part === undefined ? commas : `${commas}.${part}`;
}
const STEPS = {
  µs: [
    [1e6, 's'],
    [1e3, 'ms'],
    [1, 'µs'],
    [1e-3, 'ns'],
  ],
  B: [
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [1024, 'KiB'],
    [1, 'B'],
  ],
  'B/s': [
    [2 ** 30, 'GiB/s'],
    [2 ** 20, 'MiB/s'],
    [1024, 'KiB/s'],
    [1, 'B/s'],
  ],
};
function stepped(v, unit, figures) {
  const steps = STEPS[unit];
  const [size, name] = steps.find(([s]) => Math.abs(v) >= s) ?? steps[steps.length - 1];
  return `${digits(v / size, figures)} ${name}`;
}

// A value for people: "12.4 µs", "1.24 ms", "84,120". null: an en dash.
export function show(unit, v) {
  if (v === null || v === undefined) return '–';
  if (v === 0) return '0';
  if (STEPS[unit]) return stepped(v, unit, 3);
  const text = grouped(digits(v));
  return unit === '×' ? `${text}×` : unit === '%' ? `${text} %` : text;
}
// The same for an axis, as short as possible.
export function tick(unit, v) {
  if (v === 0) return '0';
  if (STEPS[unit])
    return stepped(v, unit, 3)
      .replace(/(\.\d*?)0+ /, '$1 ')
      .replace('. ', ' ');
  const size = Math.abs(v);
  const short = size >= 1e6 ? [v / 1e6, 'M'] : size >= 1e3 ? [v / 1e3, 'k'] : [v, ''];
  return grouped(Number(short[0].toPrecision(3))) + short[1];
}
// "[4.26, 4.50]": without the unit if the figure beside it has the same one.
export function showRange(unit, beside, low, high) {
  if (low === null || high === null) return '';
  const suffix = / .*$/.exec(show(unit, beside))?.[0] ?? '';
  const [from, to] = [show(unit, low), show(unit, high)];
  const same = suffix !== '' && from.endsWith(suffix) && to.endsWith(suffix);
  const bare = (text) => (same ? text.slice(0, -suffix.length) : text);
  return `[${bare(from)}, ${bare(to)}]`;
}
// A ratio is read by its distance from 1: three decimals near it.
export const ratioText = (v) =>
  v === null ? '–' : `${v >= 0.1 && v < 10 ? v.toFixed(3) : digits(v, 2)}×`;
export const rangeText = (low, high, print) =>
  low === null || high === null ? '' : `[${print(low)}, ${print(high)}]`;

// Control characters and the two separators that editors take for line ends, made visible: a name
// is always one line.
export const visible = (text) =>
  String(text).replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );

// One CSV field (RFC 4180); a leading formula character is defused for spreadsheets.
export function csvField(value) {
  if (value === null || value === undefined) return '';
  let text = String(value);
  if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
export const csvText = (rows) =>
  rows.map((row) => row.map(csvField).join(',')).join('\r\n') + '\r\n';
