// view.mjs: what of a run is looked at. Words: a *dimension* is a parameter that takes several
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
};

export function value(entry, key) {
  const v = entry?.m && Object.hasOwn(entry.m, key) ? entry.m[key] : null;
  if (v === null) return null;
  return Object.fromEntries(Object.entries(FIELD).map(([name, at]) => [name, v[at]]));
}

// ---- Dimensions, facets, points --------------------------------------------------------------

function dimensions(model) {
  const keys = [...new Set(model.cells.flatMap((cell) => Object.keys(cell.p)))];
  return keys.filter((key) => new Set(model.cells.map((cell) => cell.p[key])).size > 1);
}

function describe(p, keys) {
  const words = [];
  for (const key of keys) {
    const v = p[key];
    if (key === 'loop') words.push(`${v} loop`);
    else if (v === undefined) continue;
    else if (key === 'offered_per_s') words.push(`${grouped(v)}/s`);
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

// Does any label of this cell have an interval that a rank could rest on?
export const hasIntervals = ({ model, cell }, key) =>
  model.rows[cell].some((entry) => value(entry, key)?.ratioLow != null);
export const rankText = (row) => {
  if (row.v === null || row.unranked) return '';
  return row.rank === row.rankTo ? `${row.rank}` : `${row.rank}–${row.rankTo}`;
};

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

// The point a reader should see first: the last of the facet at which most labels were measured.
export function headline(model, facet) {
  const measured = (cell) => model.rows[cell].filter((entry) => entry?.measured > 0).length;
  const most = Math.max(...facet.cells.map(measured));
  return facet.cells.findLast((cell) => measured(cell) >= most * 0.6) ?? facet.cells[0];
}

// ---- One label at one cell -------------------------------------------------------------------

// Why there is no figure, in words.
export function missingText(entry) {
  if (!entry) return 'not in this cell';
  if (entry.measured === 0) return entry.reason || entry.status;
  return 'not measured';
}
// True when a flag of most trials, or the status, forbids a claim on this metric.
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

const better = (key, a, b) => (metric(key).better === 'less' ? a < b : a > b);

// The interval a label's ratio is judged by. The baseline is 1 by definition; its own noise is what
// its twin (the same backend under a second label) shows.
function judged(model, cell, i, key) {
  const entry = model.rows[cell][i];
  const v = value(entry, key);
  if (v === null || v.median === null) return null;
  if (model.labels[i].name !== model.baseline) return { ...v, low: v.ratioLow, high: v.ratioHigh };
  const backend = model.labels[i].backend;
  const twin = model.labels.findIndex((l, at) => at !== i && l.backend === backend);
  const noise = twin < 0 ? null : value(model.rows[cell][twin], key);
  return { ...v, ratio: 1, low: noise?.ratioLow ?? 1, high: noise?.ratioHigh ?? 1, base: true };
}

// Is a proven better than b? Against the baseline the verdict says it; between two others their
// intervals must not touch, which is the more careful of the usual rules.
function proven(key, a, b) {
  if (a.void || b.void) return false;
  if (a.base || b.base) {
    const other = a.base ? b : a;
    if (!/^(better|worse|faster|slower)$/.test(other.verdict)) return false;
  }
  if (a.low === null || b.low === null) return false;
  return metric(key).better === 'less' ? a.high < b.low : a.low > b.high;
}

// Labels of a cell from best to worst. A rank is the range that the intervals leave open: from 1 +
// how many are proven better to all - how many are proven worse; ties are ranges that overlap. Those
// without a figure come last, with the reason.
export function ranking(model, cell, key) {
  const rows = model.labels.map((label, i) => {
    const entry = model.rows[cell][i] ?? null;
    return { label: label.name, index: i, entry, v: judged(model, cell, i, key) };
  });
  const ranked = rows.filter((row) => row.v !== null);
  for (const row of ranked) row.v.void = voided(row.entry, key);
  for (const row of ranked) {
    row.rank = 1 + ranked.filter((o) => proven(key, o.v, row.v)).length;
    row.unranked = !hasIntervals({ model, cell }, key);
    row.rankTo = ranked.length - ranked.filter((o) => proven(key, row.v, o.v)).length;
  }
  ranked.sort(
    (a, b) =>
      a.rank - b.rank || a.rankTo - b.rankTo || (better(key, a.v.median, b.v.median) ? -1 : 1),
  );
  return [...ranked, ...rows.filter((row) => row.v === null)];
}

// ---- The answer in words ---------------------------------------------------------------------

const list = (names) =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
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
  const title = metric(key).title;
  return [
    { name: winner },
    ' has ',
    ...tail,
    ` the ${title[0].toLowerCase()}${title.slice(1)} of `,
    { name: base },
  ];
}

// One sentence on one cell: parts are strings, {name} or {strong}.
export function answer(view, key) {
  const { model, cell } = view;
  const rows = ranking(model, cell, key).filter((row) => row.v !== null && !row.v.void);
  const place = placeText(view);
  const start = place === '' ? [] : [`At ${place}, `];
  if (rows.length === 0) return [...start, `no figure for ${metric(key).title} stands.`];
  const top = rows.filter((row) => row.rank === 1);
  const best = top[0];
  const base = rows.find((row) => row.v.base);
  if (!base || rows.length === 1)
    return [
      ...start,
      { name: best.label },
      ` has ${metric(key).title.toLowerCase()} `,
      { strong: show(metric(key).unit, best.v.median) },
      '.',
    ];
  const others = top.slice(1).map((row) => row.label);
  if (best === base || best.v.ratio === null) {
    const rest =
      others.length > 0
        ? ` ${list(others)} ${others.length === 1 ? 'is' : 'are'} level with it.`
        : '';
    return [...start, 'nothing is better than ', { name: base.label }, '.', rest];
  }
  const turned = key === 'server_cpu_us_per_req';
  const ratio = turned ? inverse(best.v.ratio) : best.v.ratio;
  const [low, high] = turned
    ? [inverse(best.v.high), inverse(best.v.low)]
    : [best.v.low, best.v.high];
  const interval = rangeText(low, high, (v) => ratioText(v).replace('×', ''));
  const said = claim(key, best.label, base.label, ratioText(ratio), interval);
  if (best.v.low === null)
    return [...start, ...said, ` (${best.v.n} blocks: too few for a claim).`];
  if (top.includes(base))
    return [
      ...start,
      'no backend is proven better than ',
      { name: base.label },
      '; the nearest, ',
      ...said,
      '.',
    ];
  return [
    ...start,
    ...said,
    others.length > 0
      ? `; ${list(others)} ${others.length === 1 ? 'is' : 'are'} level with it.`
      : '.',
  ];
}
