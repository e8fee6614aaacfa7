// figures.mjs: which charts a view has. Each appears when its data is there. A figure is
//   {id, title, unit, scope, note, draw(canvas) -> chart or null, table() -> rows for people and CSV}
// scope: 'sweep' (against x) or 'point' (at the chosen cell). The page and the SVG files draw
// these.
import { barChart } from './bars.mjs';
import { lineChart } from './charts.mjs';
import { forestChart, forestNote, forestRows, forestTable, hasForest, rowText } from './forest.mjs';
import { bucketUs, heatChart, percentileChart, percentilePoints } from './spread.mjs';
import { line, missingText, objectiveOf, placeText, value, xText } from './view.mjs';
import { FOREST, grouped, metric, parameter, show, verdict, visible } from './words.mjs';

const CPU_NOTE =
  'Dark: user. Light: system. Pale: too short to tell them apart. Whisker: interval of the sum. ' +
  'Dotted: the floor, a bare recv and send with no waiting.';

const sweep = (view) => view.facet.cells.length > 1;
const anyAt = (view, key) =>
  view.model.rows[view.cell].some((entry) => value(entry, key)?.median != null);
const anyIn = (view, key) =>
  view.facet.cells.some((cell) => view.model.rows[cell].some((e) => value(e, key)?.median != null));

// Cells of a line chart that have no figure, named: "pool: none at 100, 1,000 (why)".
function missingNote(view, key) {
  const groups = new Map(); // "none at … (why)" -> labels
  for (const { label, missing } of line(view, key)) {
    const whys = new Map();
    for (const { x, why } of missing) whys.set(why, [...(whys.get(why) ?? []), x]);
    for (const [why, xs] of whys) {
      const before = xs.slice(0, -1).map((x) => `${grouped(x)}, `);
      const place = `none at ${before.join('')}${xText(view.x, xs.at(-1))} (${visible(why)})`;
      groups.set(place, [...(groups.get(place) ?? []), visible(label)]);
    }
  }
  const who = (names) => (names.length === view.model.labels.length ? 'all' : names.join(', '));
  const notes = [...groups].map(([place, names]) => `${who(names)}: ${place}`);
  return notes.length > 6 ? `${notes.slice(0, 6).join('; ')} …` : notes.join('; ');
}
const hollowNote = (view, key) =>
  line(view, key).some((l) => l.points.some((p) => p.hollow))
    ? `Hollow: ${verdict('void').words}.`
    : '';
const join = (...notes) => notes.filter((n) => n !== '').join(' ');

function sweepTable(view, key) {
  const { unit } = metric(key);
  const head = [
    parameter(view.x),
    'backend',
    `median${unit === '' ? '' : ` (${unit})`}`,
    'low',
    'high',
    'launches',
  ];
  const rows = line(view, key).flatMap((l) => [
    ...l.points.map((p) => [p.x, l.label, p.median, p.low, p.high, p.n]),
    ...l.missing.map((m) => [m.x, l.label, m.why, null, null, null]),
  ]);
  return [head, ...rows];
}
function pointTable(view, keys) {
  const head = [
    'backend',
    ...keys.map(
      (key) => `${metric(key).title}${metric(key).unit === '' ? '' : ` (${metric(key).unit})`}`,
    ),
  ];
  return [
    head,
    ...view.model.labels.map((label, i) => {
      const entry = view.model.rows[view.cell][i];
      const values = keys.map((key) => value(entry, key)?.median ?? null);
      if (values.every((v) => v === null)) values[0] = missingText(entry);
      return [label.name, ...values];
    }),
  ];
}

function sweepFigure(view, id, key, floor = null) {
  const { title, unit } = metric(key);
  return {
    id,
    scope: 'sweep',
    metric: key,
    unit,
    title: `${title} against ${parameter(view.x)}`,
    note: join(hollowNote(view, key), missingNote(view, key)),
    draw: (canvas) => lineChart(view, canvas, key, floor),
    table: () => sweepTable(view, key),
  };
}
function pointFigure(view, id, title, parts, total, floor, note) {
  return {
    id,
    scope: 'point',
    metric: total ?? parts[0],
    unit: metric(parts[0]).unit,
    title: `${title} at ${placeText(view) || 'the only cell'}`,
    note,
    draw: (canvas) => barChart(view, canvas, parts, total, floor),
    table: () =>
      pointTable(view, total === null || parts.includes(total) ? parts : [...parts, total]),
  };
}

function forestFigure(view, key) {
  const { model } = view;
  return {
    id: `forest-${key.replace(/_us_per_req$/, '').replaceAll('_', '-')}`,
    scope: 'point',
    forest: true,
    wide: key === 'host_cpu_us_per_req',
    metric: key,
    unit: '',
    title: `${metric(key).title}, as a multiple of ${visible(model.baseline)}’s, at ${placeText(view) || 'the only cell'}`,
    note: forestNote(view, key),
    draw: (canvas) => forestChart(view, canvas, key),
    table: () => forestTable(view, key),
  };
}
// What a request costs, then what the experiment asks, then the metric that the reader chose.
const forests = (view, chosen) =>
  [...new Set([...FOREST, objectiveOf(view.model), chosen])]
    .filter((key) => key !== null && hasForest(view, key))
    .map((key) => forestFigure(view, key));

const SWEEPS = [
  ['throughput', 'completed_per_s', null],
  ['cpu-host', 'host_cpu_us_per_req', null],
  ['cpu', 'server_cpu_us_per_req', 'floor_us'],
  ['response-p50', 'response_p50_us', null],
  ['response-p99', 'response_p99_us', null],
  ['response-p999', 'response_p999_us', null],
];
const LATER_SWEEPS = [
  ['syscalls', 'syscalls_per_req', null],
  ['switches', 'context_switches_per_req', null],
  ['memory', 'rss_bytes_per_conn', null],
];

// Any metric, for the reader who chose it.
export const metricFigure = (view, key) =>
  sweep(view)
    ? sweepFigure(view, `metric-${key}`, key)
    : pointFigure(view, `metric-${key}`, metric(key).title, [key], key, null, '');

// In reading order. The page leaves out of `response-*` what its switch does not show. chosen: a
// metric to have a forest of, or null.
export function figures(view, chosen = null) {
  const list = forests(view, chosen);
  const has = (key) => anyAt(view, key);
  if (sweep(view))
    for (const [id, key, floor] of SWEEPS)
      if (anyIn(view, key)) list.push(sweepFigure(view, id, key, floor));
  if (!sweep(view) && has('completed_per_s'))
    list.push(
      pointFigure(
        view,
        'throughput-bars',
        'Throughput',
        ['completed_per_s'],
        'completed_per_s',
        null,
        '',
      ),
    );
  if (has('host_cpu_us_per_req') && has('client_cpu_us_per_req'))
    list.push(
      pointFigure(
        view,
        'cpu-parts',
        'CPU per request, server and load,',
        ['server_cpu_us_per_req', 'client_cpu_us_per_req'],
        'host_cpu_us_per_req',
        'floor_us',
        'Dark: server. Light: load. On loopback, waking a sleeping server is billed to the load.',
      ),
    );
  if (has('server_user_us_per_req') && has('server_system_us_per_req'))
    list.push(
      pointFigure(
        view,
        'cpu-split',
        'Server CPU per request, user and system,',
        ['server_user_us_per_req', 'server_system_us_per_req'],
        'server_cpu_us_per_req',
        'floor_us',
        CPU_NOTE,
      ),
    );
  list.push(...spreads(view));
  if (sweep(view))
    for (const [id, key, floor] of LATER_SWEEPS)
      if (anyIn(view, key)) list.push(sweepFigure(view, id, key, floor));
  for (const [id, title, key] of [
    ['syscalls-bars', 'System calls per request', 'syscalls_per_req'],
    ['switches-bars', 'Context switches per request', 'context_switches_per_req'],
  ])
    if (has(key) && !sweep(view)) list.push(pointFigure(view, id, title, [key], key, null, ''));
  const memory = ['rss_bytes_per_conn', 'kernel_bytes_per_conn'].filter(has);
  if (memory.length > 0)
    list.push(
      pointFigure(
        view,
        'memory-split',
        'Memory per connection',
        memory,
        memory.length === 1 ? memory[0] : null,
        null,
        memory.length === 2
          ? 'Dark: the server process. Light: kernel socket memory, both ends.'
          : '',
      ),
    );
  if (has('fairness_jain'))
    list.push(
      pointFigure(
        view,
        'fairness',
        'Fairness among connections',
        ['fairness_jain'],
        'fairness_jain',
        null,
        'Jain’s index of requests per connection: 1 is equal shares.',
      ),
    );
  return list;
}

function spreads(view) {
  const { model, cell } = view;
  const list = [];
  if ((model.percentiles[cell] ?? []).some((curve) => percentilePoints(curve).length > 1))
    list.push({
      id: 'percentiles',
      scope: 'point',
      unit: 'µs',
      title: `Response time percentiles at ${placeText(view) || 'the only cell'}`,
      note: 'Drawn as far as at least 10 samples lie beyond; trials are merged.',
      draw: (canvas) => percentileChart(view, canvas),
      table: () => [
        ['backend', 'percentile', 'response (µs)'],
        ...model.labels.flatMap((label, i) =>
          percentilePoints(model.percentiles[cell][i]).map(([, us, p]) => [label.name, p, us]),
        ),
      ],
    });
  const maps = (model.heat[cell] ?? []).filter(Boolean);
  if (maps.filter((heat) => heat.steps >= 3).length * 2 > maps.length)
    list.push({
      id: 'heat',
      scope: 'point',
      wide: true,
      unit: '',
      title: `Response time over the trial at ${placeText(view) || 'the only cell'}`,
      note:
        'Darker (in dark mode: lighter): more requests, on a log scale; trials are overlaid.' +
        (model.effective.method === 'slices' ? ' Gaps: the slices of the others.' : ''),
      draw: (canvas) => heatChart(view, canvas),
      table: () => [
        ['backend', 'second', 'from (µs)', 'requests'],
        ...model.labels.flatMap((label, i) => {
          const heat = model.heat[cell][i];
          return heat
            ? heat.buckets.map(([t, b, n]) => [
                label.name,
                t * heat.step_s,
                Number(bucketUs(b).toPrecision(4)),
                n,
              ])
            : [];
        }),
      ],
    });
  return list;
}

// A sentence that stands for the picture.
export function alternative(view, figure) {
  const table = figure.table();
  const rows = table.length - 1;
  const start = `${figure.title}. `;
  if (figure.forest)
    return `${start}${forestRows(view, figure.metric)
      .map((row) => `${visible(row.label)}: ${rowText(row, false)}`)
      .join('; ')}.`;
  if (figure.scope !== 'sweep')
    return `${start}${rows} rows; the figures are in the table below the chart.`;
  const last = line(view, figure.metric)
    .map((l) => ({ label: l.label, p: l.points.at(-1) }))
    .filter((l) => l.p);
  const sign = metric(figure.metric).better === 'lower' ? 1 : -1;
  last.sort((a, b) => sign * (a.p.median - b.p.median));
  const ends = [last[0], last.at(-1)]
    .filter(Boolean)
    .map(
      (l) =>
        `${visible(l.label)} ends at ${show(figure.unit, l.p.median)} (${xText(view.x, l.p.x)})`,
    );
  return `${start}${ends.join('; ')}. All figures are in the table below the chart.`;
}
