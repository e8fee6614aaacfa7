// scale.mjs: the range of an axis and where its ticks are. Logarithmic when the values are positive
// and span more than a factor of 8; then ticks stand on 1, 2, 5 or on powers of ten, never on odd
// numbers. Pure; used for every axis of every chart.

const SPAN = 8;
export const BUCKETS_PER_DECADE = 6; // of ns: the rows of a heat map

const BYTES = Array.from({ length: 30 }, (_, i) => 4 ** (i - 6)); // ticks of a logarithmic axis

function steps125(lo, hi) {
  const ticks = [];
  for (let e = Math.floor(Math.log10(lo)) - 1; e <= Math.ceil(Math.log10(hi)) + 1; e++)
    for (const m of [1, 2, 5]) ticks.push(Number(`${m}e${e}`));
  return ticks;
}

function logScale(lo, hi, unit) {
  const fine = unit === 'B' ? BYTES : steps125(lo, hi);
  const min = fine.findLast((t) => t <= lo * 1.0001);
  const max = fine.find((t) => t >= hi * 0.9999);
  const decades = Math.log10(max / min);
  const power = (t) => Number.isInteger(Math.round(Math.log10(t) * 1e6) / 1e6);
  const every = decades > 7 ? 2 : 1;
  const shown = fine.filter(
    (t) =>
      t >= min &&
      t <= max &&
      (unit === 'B' || decades < 2.4 || (power(t) && Math.round(Math.log10(t)) % every === 0)),
  );
  return { type: 'log', min, max, ticks: shown };
}

function linearScale(lo, hi, unit) {
  const raw = Math.max(hi, -lo) / 4;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step =
    unit === 'B'
      ? 2 ** Math.ceil(Math.log2(raw))
      : [1, 2, 2.5, 5, 10].find((m) => m * size >= raw) * size;
  const first = Math.floor(Math.min(0, lo) / step);
  const last = Math.max(0, Math.ceil(hi / step - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
  return { type: 'value', min: ticks[0], max: ticks.at(-1), ticks };
}

// {type, min, max, ticks} for values that have to fit; ticks of bytes are powers of two. `linear`:
// never logarithmic (bars start at zero).
export function scaleFor(values, unit, linear = false) {
  const finite = values.filter((v) => Number.isFinite(v));
  const lo = finite.reduce((least, v) => Math.min(least, v), Infinity);
  const hi = finite.reduce((most, v) => Math.max(most, v), -Infinity);
  if (finite.every((v) => v === 0)) return linearScale(0, 1, unit);
  return !linear && lo > 0 && hi / lo > SPAN ? logScale(lo, hi, unit) : linearScale(lo, hi, unit);
}

// Ticks of ratios, from coarse to fine: powers of 4 and of 2, then multiples.
const RATIO_TICKS = [
  ...[4, 2].map((base) => [-4, -3, -2, -1, 0, 1, 2, 3, 4].map((e) => base ** e)),
  ...[0.5, 0.2, 0.1, 0.05, 0.02, 0.01].map((step) =>
    Array.from({ length: Math.ceil(17 / step) }, (_, i) => Number(((i + 1) * step).toPrecision(6))),
  ),
];

// The axis of ratios: logarithmic, 1 always on it, no further than a factor of 16 from 1. between: the
// least distance of two ticks, as a share of the axis.
export function ratioScale(ratios, between = 0.1) {
  const most = Math.log(16);
  const logs = ratios.filter((v) => v > 0).map((v) => Math.max(-most, Math.min(most, Math.log(v))));
  const lo = Math.min(-0.03, ...logs);
  const hi = Math.max(0.03, ...logs);
  const room = 0.04 * (hi - lo);
  const [min, max] = [Math.exp(lo - room), Math.exp(hi + room)];
  const clear = (max / min) ** between;
  const sets = RATIO_TICKS.map((all) => all.filter((t) => t >= min && t <= max));
  const ticks = sets.findLast((all) => all.every((t, i) => i === 0 || t / all[i - 1] >= clear));
  return { type: 'log', min, max, ticks: ticks ?? [1] };
}

// The x axis of a sweep: its ticks are the measured values themselves.
export function sweepScale(values) {
  const ticks = [...new Set(values)].sort((a, b) => a - b);
  const log = ticks[0] > 0 && ticks.at(-1) / ticks[0] > SPAN;
  const clear = log
    ? (a, b) => Math.log(b / a) / Math.log(ticks.at(-1) / ticks[0])
    : (a, b) => (b - a) / (ticks.at(-1) - ticks[0]);
  // The ends always have their ticks, those between as there is room, from the right.
  const shown = [ticks.at(-1)];
  for (const t of ticks.slice(1, -1).reverse())
    if (clear(t, shown[0]) > 0.055 && clear(ticks[0], t) > 0.055) shown.unshift(t);
  if (ticks.length > 1) shown.unshift(ticks[0]);
  return { type: log ? 'log' : 'value', min: ticks[0], max: ticks.at(-1), ticks: shown };
}

// The part of a scale that a zoom range (zoom.mjs) leaves.
function part(scale, [from, to]) {
  const across =
    scale.type === 'log'
      ? (f) => scale.min * (scale.max / scale.min) ** f
      : (f) => scale.min + f * (scale.max - scale.min);
  return {
    type: scale.type,
    min: from <= 0 ? scale.min : across(from),
    max: to >= 1 ? scale.max : across(to),
  };
}
const whole = ([from, to]) => from <= 0 && to >= 1;

// ... with ticks as fine as its span needs.
export function zoomed(scale, range, unit) {
  if (whole(range)) return scale;
  const { type, min, max } = part(scale, range);
  const decades = Math.log10(max / min);
  const ticks =
    type === 'log' && decades > 0.7
      ? steps125(min, max)
      : linearScale(0, max - min, unit).ticks.map(
          (t, _, all) => t + Math.floor(min / all[1]) * all[1],
        );
  return {
    type,
    min,
    max,
    ticks: ticks.map((t) => Number(t.toPrecision(12))).filter((t) => t >= min && t <= max),
  };
}
// ... keeping the ticks it has.
export function zoomedSweep(scale, range) {
  if (whole(range)) return scale;
  const { type, min, max } = part(scale, range);
  return { type, min, max, ticks: scale.ticks.filter((t) => t >= min && t <= max) };
}
