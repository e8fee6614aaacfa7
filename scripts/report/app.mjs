// app.mjs: the page of one run, in the browser. State is what the reader chose; every change redraws
// from the embedded model. Nothing is fetched.
import { button, choice, copyCsv, download, el, plainTable, swatch } from './dom.mjs';
import { drawingText, unitText } from './drawing.mjs';
import { alternative, figures, metricFigure } from './figures.mjs';
import { eyebrow, facts, questionOf, warnings } from './facts.mjs';
import { FONT, THEMES, looks } from './style.mjs';
import { matrixTable, rankingTable } from './tables.mjs';
import {
  axes,
  hasRanks,
  hasMetric,
  headline,
  isTwin,
  objectiveOf,
  placeText,
  xText,
} from './view.mjs';
import { METRIC_KEYS, SIGN_LEGEND, metric, parameter, verdict } from './words.mjs';
import { WHOLE, attach, scaled } from './zoom.mjs';

const model = JSON.parse(document.getElementById('model').textContent);
const sweeps = axes(model);
const lookup = looks(model.labels);
const darkMode = matchMedia('(prefers-color-scheme: dark)');
const state = {
  x: sweeps[0].x,
  facet: 0,
  cell: headline(model, sweeps[0].facets[0]),
  metric: objectiveOf(model),
  latency: 'response-p99',
  isolated: null,
  sort: null,
  printing: false,
};
const LATENCIES = [
  ['response-p50', 'median'],
  ['response-p99', 'p99'],
  ['response-p999', 'p99.9'],
];
const RANKED =
  '★: may be the best, as no other is proved better. A rank is the range that the intervals leave ' +
  'open: ties show as ranges that overlap. ≥: the smallest difference that ' +
  'this run would have shown. Click a name to show it alone.';
const UNRANKED =
  'There are no intervals (they take 6 launches or more), so there are no ranks: ordered by median. ' +
  'Click a name to show it alone.';
let cards = [];

const byId = (id) => document.getElementById(id);
const theme = () => (darkMode.matches && !state.printing ? THEMES.dark : THEMES.light);
const facetsNow = () => sweeps.find((s) => s.x === state.x).facets;
const view = () => ({ model, x: state.x, facet: facetsNow()[state.facet], cell: state.cell });

function change(next) {
  Object.assign(state, next);
  draw();
}
function pickFacet(x, facet) {
  const chosen = sweeps.find((s) => s.x === x).facets[facet];
  const same = (cell) => model.cells[cell].p[x] === model.cells[state.cell].p[x];
  change({
    x,
    facet,
    cell: chosen.cells.find((cell) => x === state.x && same(cell)) ?? headline(model, chosen),
  });
}
const isolate = (name) => change({ isolated: state.isolated === name ? null : name });
const resort = (column) =>
  change({ sort: { column, up: state.sort?.column === column ? !state.sort.up : true } });

// ---- Text ------------------------------------------------------------------------------------

// The first items of a list; the rest is folded below it.
function unfold(id, items, most) {
  const list = byId(id);
  list.replaceChildren(...items.slice(0, most));
  if (items.length <= most) return;
  const rest = el('ul', { class: list.className }, items.slice(most));
  list.after(
    el('details', { class: 'rest' }, el('summary', {}, `${items.length - most} more`), rest),
  );
}

function drawHead() {
  byId('eyebrow').textContent = eyebrow(model.run);
  byId('question').textContent = questionOf(model);
  // The run itself has written them: they are the terminal's.
  const answers = Array.isArray(model.run.answer) ? model.run.answer.slice(0, 60) : [];
  unfold(
    'answers',
    answers.map((text) => el('li', {}, String(text))),
    6,
  );
  const said = warnings(model).map((text) => el('li', {}, text));
  unfold('warnings', said, 3);
  byId('facts').replaceChildren(...facts(model));
  byId('forest-lead').textContent = model.simultaneous
    ? 'Intervals are simultaneous: with 95 % probability all of a chart hold their truths.'
    : 'An earlier version made this run: its intervals hold one at a time, not all at once.';
}

function drawControls() {
  const controls = [];
  if (sweeps.length > 1)
    controls.push(
      choice(
        'against',
        sweeps.map((s) => [s.x, parameter(s.x)]),
        state.x,
        (x) => pickFacet(x, 0),
      ),
    );
  const facets = facetsNow();
  if (facets.length > 1)
    controls.push(
      choice(
        'cells',
        facets.map((f, i) => [i, f.title]),
        state.facet,
        (i) => pickFacet(state.x, i),
      ),
    );
  const cells = facets[state.facet].cells;
  if (cells.length > 1)
    controls.push(
      choice(
        parameter(state.x),
        cells.map((cell) => [cell, xText('', model.cells[cell].p[state.x]).trim()]),
        state.cell,
        (cell) => change({ cell }),
      ),
    );
  const metrics = METRIC_KEYS.filter((key) => hasMetric(model, key));
  const select = el(
    'select',
    { id: 'metric', onchange: (e) => change({ metric: e.target.value, sort: null }) },
    metrics.map((key) =>
      el('option', { value: key, selected: key === state.metric }, metric(key).title),
    ),
  );
  controls.push(el('label', { class: 'field' }, 'ranked by', select));
  const chips = model.labels.map(({ name }) =>
    el(
      'button',
      {
        type: 'button',
        class: 'chip',
        'aria-pressed': String(state.isolated === name),
        onclick: () => isolate(name),
        title: 'show this one only',
      },
      swatch(lookup.get(name), theme()),
      el('span', {}, name),
    ),
  );
  controls.push(
    el(
      'div',
      {
        class: state.isolated === null ? 'legend' : 'legend some',
        role: 'group',
        'aria-label': 'backends',
      },
      chips,
    ),
  );
  byId('controls').replaceChildren(...controls);
}

function drawTables() {
  const v = view();
  const ctx = {
    view: v,
    metric: state.metric,
    sort: state.sort,
    looks: lookup,
    theme: theme(),
    isolated: state.isolated,
    isolate,
    resort,
    pick: (cell) => change({ cell }),
  };
  const place = placeText(v);
  byId('ranking-title').textContent = `Ranking${place === '' ? '' : ` at ${place}`}`;
  byId('ranking').replaceChildren(...rankingTable(ctx));
  byId('ranking-lead').textContent = hasRanks(v, state.metric) ? RANKED : UNRANKED;
  const many = v.facet.cells.length > 1;
  byId('matrix-part').hidden = !many;
  if (many) byId('matrix').replaceChildren(matrixTable(ctx));
  const { title, better } = metric(state.metric);
  byId('matrix-lead').textContent =
    `${title} as a multiple of ${model.baseline}’s (${better} is better). ` +
    `${SIGN_LEGEND}; in brackets: ${verdict('void').words}.`;
}

// ---- Charts ----------------------------------------------------------------------------------

function tip(hover) {
  return (params) => {
    const found = hover(params);
    if (found === null) return '';
    const rows = found.rows.map(([name, text]) =>
      el(
        'tr',
        {},
        el(
          'td',
          {},
          el(
            'span',
            { class: 'who' },
            lookup.has(name) ? swatch(lookup.get(name), theme()) : null,
            el('span', {}, name),
          ),
        ),
        el('td', {}, text),
      ),
    );
    return el('div', { class: 'tip' }, el('b', {}, found.title), el('table', {}, rows));
  };
}

// Draws a card's chart.
function paint(card, v) {
  // On paper (A4 or letter, two columns) the layout is not known when the charts are drawn.
  const width = state.printing ? (card.figure.wide ? 660 : 320) : card.box.clientWidth;
  const isolated = state.isolated;
  const drawn = card.figure.draw({
    theme: theme(),
    width,
    looks: lookup,
    isolate: isolated,
    font: FONT,
    zoom: card.zoom,
  });
  if (drawn === null) return card.box.replaceChildren();
  card.box.style.height = `${drawn.height}px`;
  card.chart ??= echarts.init(card.box, null, { renderer: 'svg' });
  card.chart.resize({ width, height: drawn.height });
  drawn.option.tooltip.formatter = tip(drawn.hover);
  card.chart.setOption(drawn.option, { notMerge: true });
  const { grid } = drawn.option;
  card.frame = {
    left: grid.left,
    top: grid.top,
    width: width - grid.left - grid.right,
    height: drawn.height - grid.top - grid.bottom,
  };
  card.chart.off('click');
  card.chart.on('click', (p) => {
    const name =
      p.seriesId === 'labels'
        ? drawn.names?.[p.dataIndex]
        : p.seriesType === 'bar'
          ? p.name
          : p.seriesName;
    if (lookup.has(name)) isolate(name);
  });
  card.box.setAttribute('aria-label', alternative(v, card.figure));
}

function zoomBy(card, factor) {
  const { x, y } = card.zoom;
  card.zoom =
    factor === null
      ? { x: WHOLE, y: WHOLE }
      : { x: scaled(x, 0.5, factor), y: scaled(y, 0.5, factor) };
  paint(card, view());
}

function makeCard(key, figure, v) {
  const card = {
    key,
    figure,
    chart: null,
    zoom: { x: WHOLE, y: WHOLE },
    frame: null,
    box: el('div', { class: 'chart', role: 'img' }),
  };
  const zooms = figure.scope === 'sweep' || figure.id === 'percentiles';
  if (zooms) attach(card.box, card, () => paint(card, view()));
  const name = figure.id.replace(/[^a-z0-9-]/g, '');
  const tools = [
    zooms
      ? [
          button('Zoom in', () => zoomBy(card, 0.5)),
          button('Zoom out', () => zoomBy(card, 2)),
          button('Reset zoom', () => zoomBy(card, null)),
        ]
      : [],
    button('Download SVG', () =>
      download(`${name}.svg`, 'image/svg+xml', drawingText(echarts, view(), card.figure, lookup)),
    ),
    button('Copy as CSV', (e) => copyCsv(card.figure.table(), e.target)),
  ].flat();
  const table = el('details', {}, el('summary', {}, 'Figures as a table'));
  table.addEventListener('toggle', () => {
    if (table.open)
      table.append(el('div', { class: 'scroll', tabindex: 0 }, plainTable(card.figure.table())));
    else table.lastChild.remove();
  });
  const isLatency = figure.id.startsWith('response-');
  const offered = LATENCIES.filter(([id]) => figures(v).some((f) => f.id === id));
  const control =
    isLatency && offered.length > 1
      ? choice('percentile', offered, figure.id, (latency) => change({ latency }))
      : null;
  card.node = el(
    'figure',
    { class: figure.wide ? 'wide' : null, 'data-figure': figure.id },
    el(
      'figcaption',
      {},
      figure.title,
      el(
        'small',
        {},
        [figure.scope === 'sweep' ? v.facet.title : '', unitText(figure)]
          .filter((t) => t !== '')
          .join(' · '),
      ),
    ),
    control,
    card.box,
    figure.note === '' ? null : el('p', { class: 'note' }, figure.note),
    el('div', { class: 'tools' }, tools),
    table,
  );
  return card;
}

function shownFigures(v) {
  const all = figures(v, state.metric);
  const latencies = all.filter((f) => f.id.startsWith('response-'));
  const latency = latencies.find((f) => f.id === state.latency) ?? latencies[0];
  const shown = all.filter((f) => !f.id.startsWith('response-') || f === latency);
  const charted = all.some(
    (f) =>
      f.metric === state.metric && !f.forest && (f.scope === 'sweep' || v.facet.cells.length === 1),
  );
  return charted ? shown : [metricFigure(v, state.metric), ...shown];
}

function drawCharts() {
  const v = view();
  const wanted = shownFigures(v);
  const key = (figure) => `${figure.id} ${figure.title} ${v.facet.key}`;
  const old = new Map(cards.map((card) => [card.key, card]));
  cards = wanted.map((figure) => {
    const kept = old.get(key(figure));
    old.delete(key(figure));
    if (kept) kept.figure = figure;
    return kept ?? makeCard(key(figure), figure, v);
  });
  for (const gone of old.values()) gone.chart?.dispose();
  const forests = cards.filter((card) => card.figure.forest);
  byId('forests').replaceChildren(...forests.map((card) => card.node));
  byId('forest-part').hidden = forests.length === 0;
  const charts = cards.filter((card) => !card.figure.forest);
  byId('charts').replaceChildren(...charts.map((card) => card.node));
  for (const card of cards) paint(card, v);
}

function draw() {
  drawControls();
  drawTables();
  drawCharts();
}

drawHead();
draw();
document.documentElement.dataset.ready = 'yes';

let width = document.documentElement.clientWidth;
addEventListener('resize', () => {
  if (document.documentElement.clientWidth === width) return;
  width = document.documentElement.clientWidth;
  drawCharts();
});
darkMode.addEventListener('change', draw);
addEventListener('beforeprint', () => change({ printing: true }));
addEventListener('afterprint', () => change({ printing: false }));
