// compare_app.mjs: the page of a comparison, in the browser: per cell and backend, before and
// after as ratios to the baseline, the change with its interval on one log scale, and the verdict.
// See comparison.mjs for the data.
import { button, choice, copyCsv, el, svg } from './dom.mjs';
import { PROVEN_KEYS, metric, rangeText, ratioText, verdict, visible } from './words.mjs';

const data = JSON.parse(document.getElementById('model').textContent);
const keys = [...new Set(data.after.flatMap((a) => a.entries.map((e) => e.metric)))].filter((key) =>
  data.after.some((a) => a.entries.some((e) => e.metric === key && e.a !== null)),
);
const state = { metric: keys[0] ?? '', only: 'all' };
const byId = (id) => document.getElementById(id);
const place = (cell) => visible(cell).replaceAll('=', ' ').replaceAll(';', ', ');
const runName = (i) => visible(data.runs[i].id);

function change(next) {
  Object.assign(state, next);
  draw();
}

// The span of the ratio axis: every interval of the metric, symmetric about 1.
function spanOf(rows) {
  const ends = rows.flatMap(({ entries }) =>
    entries.flatMap((e) => (e === undefined ? [] : [e.ratio_low, e.ratio_high, e.ratio])),
  );
  const logs = ends.filter((v) => v > 0).map((v) => Math.abs(Math.log(v)));
  return Math.min(Math.log(20), Math.max(Math.log(1.1), ...logs) * 1.05);
}

const WIDTH = 240;
function intervalBar(entry, span) {
  const x = (ratio) =>
    Math.min(WIDTH - 4, Math.max(4, (WIDTH / 2) * (1 + Math.log(ratio) / span))).toFixed(1);
  const root = svg('svg', {
    width: WIDTH,
    height: 15,
    viewBox: `0 0 ${WIDTH} 15`,
    class: 'forest',
    'aria-hidden': 'true',
  });
  root.append(svg('path', { d: `M${WIDTH / 2},0V15`, class: 'one' }));
  if (entry.ratio_low !== null)
    root.append(
      svg('path', { d: `M${x(entry.ratio_low)},7.5H${x(entry.ratio_high)}`, class: 'span' }),
    );
  root.append(svg('circle', { cx: x(entry.ratio), cy: 7.5, r: 3.6 }));
  return root;
}

const isProven = (entry) => entry !== undefined && verdict(entry.verdict).proven;

function cellsOf(entry, span) {
  if (entry === undefined || entry.ratio === null)
    return [
      el(
        'td',
        { class: 'muted', colspan: 4 },
        entry === undefined ? 'not in both runs' : verdict(entry.verdict).words,
      ),
    ];
  const { style, words } = verdict(entry.verdict);
  return [
    el('td', { 'data-value': entry.b }, ratioText(entry.b)),
    el('td', { class: style }, intervalBar(entry, span)),
    el(
      'td',
      { class: style, 'data-value': entry.ratio },
      ratioText(entry.ratio),
      ' ',
      el(
        'span',
        { class: 'range' },
        rangeText(entry.ratio_low, entry.ratio_high, (v) => ratioText(v).replace('×', '')),
      ),
    ),
    el(
      'td',
      { class: `verdict ${style}`, title: words },
      entry.verdict === '' ? '–' : entry.verdict,
    ),
  ];
}

// Rows of the chosen metric: one per cell and label, with an entry for each later run.
function rowsOf(key) {
  const rows = new Map();
  data.after.forEach(({ entries }, i) => {
    for (const entry of entries.filter((e) => e.metric === key)) {
      const id = JSON.stringify([entry.cell_id, entry.label]);
      const row = rows.get(id) ?? { cell: entry.cell_id, label: entry.label, a: null, entries: [] };
      row.a ??= entry.a;
      row.entries[i] = entry;
      rows.set(id, row);
    }
  });
  const order = new Intl.Collator('en', { numeric: true }).compare;
  const found = [...rows.values()].sort((x, y) => order(x.cell, y.cell) || order(x.label, y.label));
  for (const row of found) row.entries = data.after.map((_, i) => row.entries[i]);
  if (state.only === 'all') return found;
  return found.filter((row) => row.entries.some(isProven));
}

function table(rows, key) {
  const span = spanOf(rows);
  const many = data.after.length > 1;
  const head = el(
    'tr',
    {},
    el('th', { class: 'name' }, 'backend'),
    el('th', {}, 'before'),
    data.after.flatMap((_, i) => [
      el('th', {}, many ? runName(i + 1) : 'after'),
      el('th', {}, `${ratioText(Math.exp(-span))} … 1 … ${ratioText(Math.exp(span))}`),
      el('th', {}, 'after ÷ before'),
      el('th', {}, `${metric(key).better} is better`),
    ]),
  );
  const body = [];
  let cell = null;
  for (const row of rows) {
    if (row.cell !== cell)
      body.push(
        el(
          'tr',
          {},
          el(
            'th',
            { class: 'cell', colspan: 2 + 4 * data.after.length, scope: 'rowgroup' },
            place(row.cell),
          ),
        ),
      );
    cell = row.cell;
    body.push(
      el(
        'tr',
        { 'data-label': row.label, 'data-cell': row.cell },
        el('td', { class: 'name' }, row.label),
        el('td', {}, ratioText(row.a)),
        row.entries.map((entry) => cellsOf(entry, span)),
      ),
    );
  }
  return el('table', { class: 'comparison' }, el('thead', {}, head), el('tbody', {}, body));
}

function csvOf(key) {
  const head = [
    'cell_id',
    'label',
    'metric',
    'run',
    'before',
    'after',
    'ratio',
    'ratio_low',
    'ratio_high',
    'verdict',
  ];
  return [
    head,
    ...data.after.flatMap(({ entries }, i) =>
      entries
        .filter((e) => e.metric === key)
        .map((e) => [
          e.cell_id,
          e.label,
          key,
          data.runs[i + 1].id,
          e.a,
          e.b,
          e.ratio,
          e.ratio_low,
          e.ratio_high,
          e.verdict,
        ]),
    ),
  ];
}

function sentence({ entries }, i, key) {
  const own = entries.filter((e) => e.metric === key && e.ratio !== null);
  const title = metric(key).title;
  const proven = own.filter(isProven);
  const said = [
    `${title}, `,
    el('b', {}, runName(i + 1)),
    ' against ',
    el('b', {}, runName(0)),
    ': ',
  ];
  if (own.length === 0) return [...said, 'nothing could be compared.'];
  const all = `of ${own.length} comparison${own.length === 1 ? '' : 's'}`;
  if (proven.length === 0) return [...said, `none ${all} proves a difference.`];
  const distance = (e) => Math.abs(Math.log(e.ratio));
  const most = proven.reduce((a, b) => (distance(b) > distance(a) ? b : a));
  const counts = PROVEN_KEYS.map(
    (key) => `${proven.filter((e) => e.verdict === key).length} ${verdict(key).words}`,
  );
  return [
    ...said,
    `${all} ${counts.join(', ')}. The largest: `,
    el('b', {}, most.label),
    `, ${place(most.cell_id)}: `,
    el('b', {}, ratioText(most.ratio)),
    ` ${rangeText(most.ratio_low, most.ratio_high, (v) => ratioText(v).replace('×', ''))}.`,
  ];
}

// What else differs between the runs and could be the cause.
function differences() {
  const flat = (value, prefix, into) => {
    if (value !== null && typeof value === 'object')
      for (const [k, v] of Object.entries(value))
        flat(v, prefix === '' ? k : `${prefix}.${k}`, into);
    else into.set(prefix, String(value));
    return into;
  };
  const skip = /^(answer|argv|run_id|started|ended|question|doctor)(\.|$)/;
  const maps = data.runs.map(({ run }) => flat(run, '', new Map()));
  const names = [...new Set(maps.flatMap((m) => [...m.keys()]))].filter((k) => !skip.test(k));
  const rows = names
    .map((k) => [k, ...maps.map((m) => m.get(k) ?? '–')])
    .filter(([, ...v]) => new Set(v).size > 1);
  if (rows.length === 0)
    return el('p', {}, 'Nothing recorded about machine, build and settings differs.');
  return el(
    'div',
    { class: 'scroll' },
    el(
      'table',
      { class: 'facts' },
      el(
        'tr',
        {},
        el('th', {}, ''),
        data.runs.map((_, i) => el('th', {}, runName(i))),
      ),
      rows.slice(0, 200).map(([k, ...v]) =>
        el(
          'tr',
          {},
          el('th', {}, k),
          v.map((text) => el('td', {}, text.slice(0, 300))),
        ),
      ),
    ),
  );
}

function draw() {
  const rows = rowsOf(state.metric);
  byId('controls').replaceChildren(
    choice(
      'metric',
      keys.map((k) => [k, metric(k).title]),
      state.metric,
      (key) => change({ metric: key }),
    ),
    choice(
      'show',
      [
        ['all', 'all'],
        ['differ', 'proven differences'],
      ],
      state.only,
      (only) => change({ only }),
    ),
  );
  byId('comparison').replaceChildren(
    el(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'comparison' },
      rows.length > 0 ? table(rows, state.metric) : el('p', {}, 'No proven difference.'),
    ),
    el(
      'div',
      { class: 'tools' },
      button('Copy as CSV', (e) => copyCsv(csvOf(state.metric), e.target)),
    ),
  );
}

byId('question').textContent =
  data.runs.length === 2 ? 'Before and after' : `Before and ${data.runs.length - 1} after`;
byId('answers').replaceChildren(
  ...keys.slice(0, 4).flatMap((key) => data.after.map((a, i) => el('li', {}, sentence(a, i, key)))),
);
byId('warnings').replaceChildren(
  ...data.after
    .flatMap((a) => a.refused)
    .slice(0, 20)
    .map((text) => el('li', {}, text)),
);
byId('differences').replaceChildren(differences());
draw();
document.documentElement.dataset.ready = 'yes';
