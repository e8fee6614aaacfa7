// view.mjs: the part of a run that is looked at. Words: a *dimension* is a parameter that takes several
// values in the run; one numeric dimension is the x axis; a *facet* is the cells that agree in all
// other dimensions; a *point* is one cell of a facet. Also the ranking, which only reads the intervals
// and verdicts of summary.csv. Used in node and in the page.
import {
  METRIC_KEYS,
  SUMMARY_FIELDS,
  flagVoids,
  grouped,
  metric,
  parameter,
  regimeVoids,
} from './words.mjs';

const X_ORDER = [
  'connections',
  'idle_connections',
  'offered_per_s',
  'payload_bytes',
  'depth',
  'workers',
];
const camel = (name) => name.replace(/_(\w)/g, (_, c) => c.toUpperCase());
const FIELDS = SUMMARY_FIELDS.map(camel);

// The figures of one metric as {n, median, …, ratioLow, …}; null where summary.csv is empty.
export function value(entry, key) {
  const v = entry?.m && Object.hasOwn(entry.m, key) ? entry.m[key] : null;
  if (v === null) return null;
  const found = Object.fromEntries(FIELDS.map((name, at) => [name, v[at] ?? null]));
  found.verdict ??= '';
  found.best = found.best === 'yes';
  return found;
}

// ---- Dimensions, facets, points --------------------------------------------------------------

function dimensions(model) {
  const keys = [...new Set(model.cells.flatMap((cell) => Object.keys(cell.p)))];
  const values = (key) => model.cells.map((cell) => cell.p[key]).filter((v) => v !== undefined);
  return keys.filter((key) => new Set(values(key)).size > 1);
}

function describe(p, keys) {
  const words = [];
  for (const key of keys) {
    const v = p[key];
    const rate = p.offered_per_s === undefined ? '' : `, ${grouped(p.offered_per_s)}/s`;
    if (v === undefined) continue;
    else if (key === 'loop') words.push(`${v} loop${rate}`);
    else if (key === 'offered_per_s')
      words.push(...(keys.includes('loop') ? [] : [`${grouped(v)}/s`]));
    else if (key === 'connections') words.push(xText(key, v));
    else if (['transport', 'mode', 'arrival'].includes(key)) words.push(String(v));
    else words.push(`${parameter(key)} ${v}`);
  }
  return words.join(', ');
}

// Cells that agree in every dimension but x. Of a dimension that only follows another (a rate that
// grows with the connections), x is the one with more values, and the follower does not split.
function facetsOf(model, dims, x) {
  const keys = dims.filter((key) => key !== x);
  const groups = new Map();
  model.cells.forEach((cell, index) => {
    if (typeof cell.p[x] !== 'number') return;
    const key = JSON.stringify(keys.map((k) => cell.p[k] ?? null));
    if (!groups.has(key)) groups.set(key, { key, title: describe(cell.p, keys), cells: [] });
    groups.get(key).cells.push(index);
  });
  const facets = [...groups.values()];
  for (const facet of facets) facet.cells.sort((a, b) => model.cells[a].p[x] - model.cells[b].p[x]);
  return facets;
}

// [{x, facets}], the axis with the longest facet first. At least one, perhaps of single points.
export function axes(model) {
  const dims = dimensions(model);
  const candidates = [...X_ORDER, ...dims.filter((key) => !X_ORDER.includes(key))]
    .filter((key) => dims.includes(key) && model.cells.some((c) => typeof c.p[key] === 'number'))
    .map((x) => ({ x, facets: facetsOf(model, dims, x) }))
    .filter(({ facets }) => facets.some((facet) => facet.cells.length > 1));
  const longest = ({ facets }) => Math.max(...facets.map((facet) => facet.cells.length));
  candidates.sort((a, b) => longest(b) - longest(a) || X_ORDER.indexOf(a.x) - X_ORDER.indexOf(b.x));
  if (candidates.length > 0) return candidates;
  const facets = model.cells.map((cell, index) => ({
    key: String(index),
    title: describe(cell.p, dims),
    cells: [index],
  }));
  return [{ x: 'connections', facets }];
}

export const xText = (x, v) =>
  x === 'connections'
    ? `${grouped(v)} connection${v === 1 ? '' : 's'}`
    : `${grouped(v)} ${parameter(x)}`;

// Where a cell is, in words: "at 10,000 connections, closed loop".
export function placeText(view) {
  const v = view.model.cells[view.cell].p[view.x];
  const title = view.facet.title === '' ? '' : `, ${view.facet.title}`;
  return `${v === undefined ? '' : xText(view.x, v)}${title}`.replace(/^, /, '');
}

export const objectiveOf = (model) => {
  const given = model.effective.objective ?? model.run.objective;
  if (typeof given === 'string' && hasMetric(model, given)) return given;
  return METRIC_KEYS.find((key) => hasMetric(model, key)) ?? METRIC_KEYS[0];
};
export const hasMetric = (model, key) =>
  model.rows.some((row) => row.some((entry) => entry?.m && Object.hasOwn(entry.m, key)));

// The point a reader should see first: the last of the facet at which most labels were measured and
// no flag voids the objective.
export function headline(model, facet) {
  const key = objectiveOf(model);
  const isValid = (entry) => value(entry, key)?.median != null && !voided(entry, key);
  const valid = (cell) => model.rows[cell].filter(isValid).length;
  const most = Math.max(...facet.cells.map(valid));
  return facet.cells.findLast((cell) => valid(cell) >= most * 0.6) ?? facet.cells[0];
}

// ---- One label at one cell -------------------------------------------------------------------

// Why there is no figure, in words.
export function missingText(entry) {
  if (!entry) return 'not in this cell';
  if (entry.measured === 0) return entry.reason || entry.status;
  return 'not measured';
}
// True when a flag of most trials voids this metric, or the regime does.
export function voided(entry, key) {
  if (!entry) return false;
  if (regimeVoids(entry.regime, key)) return true;
  return Object.entries(entry.flags).some(
    ([flag, n]) => n * 2 > entry.trials && flagVoids(flag, key),
  );
}

export function line(view, key) {
  const { model, facet, x } = view;
  return model.labels.map((label, i) => {
    const points = [];
    const missing = [];
    for (const cell of facet.cells) {
      const entry = model.rows[cell][i];
      const v = value(entry, key);
      const at = model.cells[cell].p[x];
      if (v !== null && v.median !== null)
        points.push({ x: at, ...v, hollow: voided(entry, key), cell });
      else missing.push({ x: at, why: missingText(entry) });
    }
    return { label: label.name, points, missing };
  });
}

// ---- Ranking ---------------------------------------------------------------------------------

const better = (key, a, b) => (metric(key).better === 'lower' ? a < b : a > b);

// Labels of a cell from best to worst, by the ranks of summary.csv, then by median. Those without a
// figure come last, with the reason.
export function ranking(model, cell, key) {
  const rows = model.labels.map((label, index) => {
    const entry = model.rows[cell][index] ?? null;
    const v = value(entry, key);
    return { label: label.name, index, entry, v: v?.median == null ? null : v };
  });
  const known = rows.filter((row) => row.v !== null);
  for (const { entry, v } of known) v.void = voided(entry, key);
  const order = (a, b, field) => (a.v[field] ?? Infinity) - (b.v[field] ?? Infinity) || 0;
  known.sort(
    (a, b) =>
      order(a, b, 'rankLow') ||
      order(a, b, 'rankHigh') ||
      (better(key, a.v.median, b.v.median) ? -1 : 1),
  );
  return [...known, ...rows.filter((row) => row.v === null)];
}

// "2–3": the ranks that the intervals leave open; ties are ranges that overlap.
export function rankText({ v }) {
  if (v === null || v.rankLow === null) return '';
  return v.rankLow === v.rankHigh ? `${v.rankLow}` : `${v.rankLow}–${v.rankHigh}`;
}
// Does this cell have ranks?
export const hasRanks = ({ model, cell }, key) =>
  model.rows[cell].some((entry) => value(entry, key)?.rankLow != null);

// The baseline's second self (A/A), and the one that is known to be dearer.
export const isTwin = (model, name) => name === `${model.baseline}-twin`;
export const isCalibration = (model, name) => name === `${model.baseline}-calibration`;
export const isControl = (model, name) => isTwin(model, name) || isCalibration(model, name);
// The labels that may be the best, as no other is proved better. None where the twin voids the cell.
export function bestOf({ model, cell }, key) {
  const found = model.labels.filter((_, i) => value(model.rows[cell][i], key)?.best);
  const twin = model.labels.findIndex(({ name }) => isTwin(model, name));
  const isVoid = value(model.rows[cell][twin], key)?.verdict === 'void';
  return new Set(isVoid ? [] : found.map(({ name }) => name));
}
// Ratios within 1/(1 + margin) … 1 + margin are equivalent, as the experiment has it.
export function marginOf(model) {
  const margin = Number(/^([\d.]+)%$/.exec(model.effective.margin)?.[1]) / 100;
  return margin > 0 && margin < 1 ? margin : 0.05;
}
