// tables.mjs: the ranking of one cell, and every cell at a glance. Numbers carry their unrounded
// value in data-value and come from summary.csv.
import { el, button, copyCsv, swatch } from './dom.mjs';
import { intervalText, verdictText } from './forest.mjs';
import { colourOf } from './style.mjs';
import { bestOf, hasMetric, missingText, rankText, ranking, value, voided } from './view.mjs';
import {
  grouped,
  metric,
  parameter,
  rangeText,
  ratioText,
  show,
  showRange,
  verdict,
} from './words.mjs';

const COLUMNS = [
  'host_cpu_us_per_req',
  'server_cpu_us_per_req',
  'client_cpu_us_per_req',
  'completed_per_s',
  'response_p50_us',
  'response_p99_us',
  'response_p999_us',
  'syscalls_per_req',
  'context_switches_per_req',
  'rss_bytes_per_conn',
  'kernel_bytes_per_conn',
  'task_bytes_per_conn',
  'fairness_jain',
  'never_served',
  'floor_ratio',
];
const SHORT = {
  host_cpu_us_per_req: 'CPU/request',
  server_cpu_us_per_req: 'server',
  client_cpu_us_per_req: 'load',
  completed_per_s: 'requests/s',
  response_p50_us: 'median',
  response_p99_us: 'p99',
  response_p999_us: 'p99.9',
  syscalls_per_req: 'syscalls',
  context_switches_per_req: 'switches',
  rss_bytes_per_conn: 'RSS/conn',
  kernel_bytes_per_conn: 'kernel/conn',
  task_bytes_per_conn: 'tasks/conn',
  fairness_jain: 'fairness',
  never_served: 'never served',
  floor_ratio: '× floor',
};

function bar(ctx, name, v, most) {
  const percent = (x) => `${Math.max(0, Math.min(100, (100 * x) / most)).toFixed(2)}%`;
  const colour = colourOf(ctx.looks.get(name), ctx.theme);
  const fill = el('i');
  fill.style.width = percent(v.median);
  fill.style.background = colour;
  const whisker = v.low === null ? null : el('u');
  if (whisker) {
    whisker.style.left = percent(v.low);
    whisker.style.width = percent(v.high - v.low);
  }
  const node = el(
    'span',
    { class: v.void ? 'bar hollow' : 'bar', 'aria-hidden': 'true' },
    fill,
    whisker,
  );
  node.style.color = colour;
  return node;
}

function ratioCell(v, name, baseline) {
  if (name === baseline) return el('td', { class: 'muted' }, 'baseline');
  if (v.ratio === null) return el('td', { class: 'muted' }, v.verdict === '' ? '–' : v.verdict);
  const { style, words } = verdict(v.verdict);
  return el(
    'td',
    { class: style === 'level' ? 'muted' : style, 'data-value': v.ratio, title: words },
    ratioText(v.ratio),
    ' ',
    el('span', { class: 'range' }, intervalText(v)),
    ' ',
    verdictText(v),
  );
}

function who(ctx, name) {
  return el(
    'button',
    {
      type: 'button',
      class: 'who',
      title: 'show this one only',
      onclick: () => ctx.isolate(name),
    },
    swatch(ctx.looks.get(name), ctx.theme),
    el('span', {}, name),
  );
}

function headCell(ctx, id, text) {
  const order = ctx.sort?.column === id ? (ctx.sort.up ? 'ascending' : 'descending') : null;
  return el(
    'th',
    {
      scope: 'col',
      class: id === 'name' ? 'name' : id === ctx.metric ? 'left' : null,
      'aria-sort': order,
    },
    button(text, () => ctx.resort(id)),
  );
}

// One label of the ranking; most: the value at the full width of a bar.
function rankingRow(ctx, row, others, most) {
  const { label, entry, v } = row;
  const key = ctx.metric;
  const { unit } = metric(key);
  const receded = ctx.isolated !== null && ctx.isolated !== label ? 'receded' : null;
  const first = [
    el('td', { class: 'rank' }, bestOf(ctx.view, key).has(label) ? '★ ' : '', rankText(row)),
    el('td', { class: 'name' }, who(ctx, label)),
  ];
  const rest =
    v === null
      ? [el('td', { class: 'figure muted', colspan: 2 + others.length }, missingText(entry))]
      : [
          el(
            'td',
            {
              class: v.void ? 'figure void' : 'figure',
              'data-metric': key,
              'data-value': v.median,
            },
            bar(ctx, label, v, most),
            show(unit, v.median),
            ' ',
            el('span', { class: 'range' }, showRange(unit, v.median, v.low, v.high)),
          ),
          ratioCell(v, label, ctx.view.model.baseline),
          others.map((k) => plainCell(entry, k)),
        ];
  return el('tr', { class: receded, 'data-label': label }, first, rest);
}

const ROW_FIELDS = ['low', 'high', 'ratio', 'ratioLow', 'ratioHigh', 'pAdjusted', 'detectable'];

function rankingCsv(view, rows, key, others) {
  return [
    ['rank', 'best', 'label', key, ...ROW_FIELDS, 'verdict', ...others],
    ...rows.map((row) => [
      rankText(row),
      bestOf(view, key).has(row.label) ? 'yes' : 'no',
      row.label,
      row.v?.median ?? null,
      ...ROW_FIELDS.map((field) => row.v?.[field] ?? null),
      row.v?.verdict ?? missingText(row.entry),
      ...others.map((k) => value(row.entry, k)?.median ?? null),
    ]),
  ];
}

// The ranking of the chosen cell by the chosen metric. ctx: {view, metric, sort, looks, theme,
// isolated, isolate(name), resort(column)}.
export function rankingTable(ctx) {
  const { view, metric: key } = ctx;
  const rows = ranking(view.model, view.cell, key);
  const most = Math.max(...rows.map((row) => row.v?.high ?? row.v?.median ?? 0), 1e-12);
  const others = COLUMNS.filter((k) => k !== key && hasMetric(view.model, k));
  const head = [
    ['rank', 'rank'],
    ['name', 'backend'],
    [key, `${metric(key).title}, median and interval`],
    ['ratio', `against ${view.model.baseline || 'the baseline'}`],
    ...others.map((k) => [k, SHORT[k]]),
  ].map(([id, text]) => headCell(ctx, id, text));
  const body = sortRows(rows, ctx.sort).map((row) => rankingRow(ctx, row, others, most));
  return [
    el(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'ranking' },
      el(
        'table',
        { class: 'ranking', 'data-cell': view.model.cells[view.cell].id },
        el('thead', {}, el('tr', {}, head)),
        el('tbody', {}, body),
      ),
    ),
    el(
      'div',
      { class: 'tools' },
      button('Copy as CSV', (e) => copyCsv(rankingCsv(view, rows, key, others), e.target)),
    ),
  ];
}

function plainCell(entry, key) {
  const v = value(entry, key);
  if (v === null || v.median === null) return el('td', { class: 'muted' }, '–');
  return el(
    'td',
    { 'data-metric': key, 'data-value': v.median, class: voided(entry, key) ? 'void' : null },
    show(metric(key).unit, v.median),
  );
}

function sortRows(rows, sort) {
  if (!sort) return rows;
  const of = (row) => {
    if (sort.column === 'name') return row.label;
    if (sort.column === 'rank') return row.v?.rankLow ?? null;
    if (sort.column === 'ratio') return row.v?.ratio ?? null;
    return value(row.entry, sort.column)?.median ?? null;
  };
  const sign = sort.up ? 1 : -1;
  return [...rows].sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (x < y ? -1 : x > y ? 1 : 0);
  });
}

// Ratios to the baseline of every label at every point of the facet.
export function matrixTable(ctx) {
  const { view } = ctx;
  const { model, facet } = view;
  const order = ranking(model, view.cell, ctx.metric).map((row) => row.index);
  const head = facet.cells.map((cell) =>
    el(
      'th',
      { scope: 'col', class: cell === view.cell ? 'here' : null },
      button(grouped(model.cells[cell].p[view.x] ?? ''), () => ctx.pick(cell)),
    ),
  );
  const body = order.map((i) => {
    const name = model.labels[i].name;
    const cells = facet.cells.map((cell) =>
      matrixCell(model.rows[cell][i], ctx.metric, name === model.baseline),
    );
    return el(
      'tr',
      { class: ctx.isolated !== null && ctx.isolated !== name ? 'receded' : null },
      el('td', { class: 'name' }, who(ctx, name)),
      cells,
    );
  });
  return el(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'all points' },
    el(
      'table',
      { class: 'matrix' },
      el('thead', {}, el('tr', {}, el('th', { class: 'name' }, parameter(view.x)), head)),
      el('tbody', {}, body),
    ),
  );
}

function matrixCell(entry, key, isBaseline) {
  const v = value(entry, key);
  if (v === null || v.median === null)
    return el(
      'td',
      { class: 'muted', title: missingText(entry) },
      entry?.measured === 0 ? entry.status : '–',
    );
  const text = show(metric(key).unit, v.median);
  const isVoid = voided(entry, key);
  const bracketed = (what) => (isVoid ? `(${what})` : what);
  if (isBaseline || v.ratio === null)
    return el('td', { class: isVoid ? 'void' : 'level', 'data-value': v.median }, bracketed(text));
  const { style, words, sign } = verdict(v.verdict);
  const title = [text, rangeText(v.ratioLow, v.ratioHigh, ratioText), words];
  return el(
    'td',
    { class: isVoid ? 'void' : style, 'data-value': v.ratio, title: title.join(' ') },
    `${sign === '' ? '' : `${sign} `}${bracketed(ratioText(v.ratio))}`,
  );
}
