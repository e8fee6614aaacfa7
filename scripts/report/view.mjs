// view.mjs: the part of a run that is looked at. Words: a *dimension* is a parameter that takes several
// values in the run; one numeric dimension is the x axis; a *facet* is the cells that agree in all
// other dimensions; a *point* is one cell of a facet. Also the ranking and the answer in words,
// which only read the intervals and verdicts of summary.csv. Used in node and in the page.
import { flagVoids, grouped, metric, parameter, rangeText, ratioText, show } from './words.mjs';

const X_ORDER = [
  'connections',
  'idle_connections',
  'offered_per_s',
  'payload_bytes',
  'depth',
  'workers',
];
const FIELD = {
  n: 0,
  median: 1,
  low: 2,
  high: 3,
  ratio: 4,
  ratioLow: 5,
  ratioHigh: 6,
  p: 7,
  verdict: 8,
  rankLow: 9,
  rankHigh: 10,
};

export function value(entry, key) {
  const v = entry?.m && Object.hasOwn(entry.m, key) ? entry.m[key] : null;
  if (v === null) return null;
  const found = Object.fromEntries(
    Object.entries(FIELD).map(([name, at]) => [name, v[at] ?? null]),
  );
  found.verdict ??= '';
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
  return hasMetric(model, 'server_cpu_us_per_req') ? 'server_cpu_us_per_req' : 'completed_per_s';
};
export const hasMetric = (model, key) =>
  model.rows.some((row) => row.some((entry) => entry?.m && Object.hasOwn(entry.m, key)));

// The point a reader should see first: the last of the facet at which most labels were measured and
// no flag voids the objective.
export function headline(model, facet) {
  const key = objectiveOf(model);
  const stands = (entry) => value(entry, key)?.median != null && !voided(entry, key);
  const standing = (cell) => model.rows[cell].filter(stands).length;
  const most = Math.max(...facet.cells.map(standing));
  return facet.cells.findLast((cell) => standing(cell) >= most * 0.6) ?? facet.cells[0];
}

// ---- One label at one cell -------------------------------------------------------------------

// Why there is no figure, in words.
export function missingText(entry) {
  if (!entry) return 'not in this cell';
  if (entry.measured === 0) return entry.reason || entry.status;
  return 'not measured';
}
// True when a flag of most trials voids this metric.
export function voided(entry, key) {
  if (!entry) return false;
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

// ---- The answer in words ---------------------------------------------------------------------

const list = (names) =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
const lower = (title) => title[0].toLowerCase() + title.slice(1);
const inverse = (v) => (v === null || v === 0 ? null : 1 / v);

function claim(key, winner, base, ratio, interval) {
  const tail = [{ strong: ratio }, interval === '' ? '' : ` ${interval}`];
  if (key === 'server_cpu_us_per_req')
    return [
      { name: winner },
      ' serves ',
      ...tail,
      ' the requests of ',
      { name: base },
      ' per CPU second',
    ];
  if (key === 'completed_per_s')
    return [{ name: winner }, ' completes ', ...tail, ' the requests of ', { name: base }];
  const title = lower(metric(key).title);
  return [{ name: winner }, ' has ', ...tail, ` the ${title} of `, { name: base }];
}

const level = (names) =>
  names.length === 0 ? '' : `; ${list(names)} ${names.length === 1 ? 'is' : 'are'} level with it`;

// "X serves 1.23× [1.19, 1.27] the requests of B per CPU second": work per CPU second is the
// inverse of CPU per request, so the ends of its interval change places.
function against(key, row, base) {
  const turned = key === 'server_cpu_us_per_req';
  const { ratio, ratioLow, ratioHigh } = row.v;
  const bounds = turned ? [inverse(ratioHigh), inverse(ratioLow)] : [ratioLow, ratioHigh];
  const interval = rangeText(...bounds, (v) => ratioText(v).replace('×', ''));
  return claim(key, row.label, base.label, ratioText(turned ? inverse(ratio) : ratio), interval);
}

// One sentence on one cell: parts are strings, {name} or {strong}.
export function answer(view, key) {
  const { model, cell } = view;
  const twin = ({ label, index }) =>
    label !== model.baseline &&
    model.labels[index].backend === model.labels.find((l) => l.name === model.baseline)?.backend;
  const rows = ranking(model, cell, key).filter((row) => row.v && !row.v.void && !twin(row));
  const place = placeText(view);
  const start = place === '' ? [] : [`At ${place}, `];
  const { title, unit } = metric(key);
  if (rows.length === 0) return [...start, `there is no valid figure for ${lower(title)}.`];
  const base = rows.find((row) => row.label === model.baseline);
  const [best] = rows;
  if (!base || rows.length === 1)
    return [
      ...start,
      { name: best.label },
      ` has the best ${lower(title)}: `,
      { strong: show(unit, best.v.median) },
      '.',
    ];
  const nearest = best === base ? rows[1] : best;
  if (!hasRanks(view, key)) {
    const few = ` (${best.v.n} block${best.v.n === 1 ? '' : 's'}: too few for a claim).`;
    if (best !== base) return [...start, ...against(key, best, base), few];
    return [...start, { name: base.label }, ` has the best ${lower(title)}`, few];
  }
  if (base.v.rankLow === 1)
    return [
      ...start,
      'nothing is proven better than ',
      { name: base.label },
      ': ',
      ...against(key, nearest, base),
      '.',
    ];
  const others = rows.filter((row) => row !== best && row.v.rankLow === 1).map((row) => row.label);
  return [...start, ...against(key, best, base), `${level(others)}.`];
}
