// forest.mjs: a forest plot of one cell: each label's ratio to the baseline with its simultaneous
// interval, and the ratios of its launches. See charts.mjs for what a chart function returns.
import { axis, base, look, short } from './charts.mjs';
import { ratioScale } from './scale.mjs';
import { bestOf, isCalibration, isControl, isTwin, marginOf, missingText, value } from './view.mjs';
import { metric, rangeText, ratioText, show, showRange, verdict, visible } from './words.mjs';

const ROW = 24;

// [{label, entry, v, ratio, launches}] of one cell, best first, then those without a ratio, then the
// baseline's twin. The baseline's ratio is 1.
export function forestRows({ model, cell }, key) {
  const entries = model.rows[cell];
  const base = new Map(
    entries[model.labels.findIndex(({ name }) => name === model.baseline)]?.launches[key],
  );
  const rows = model.labels.flatMap(({ name }, i) => {
    const entry = entries[i] ?? null;
    const v = value(entry, key);
    if (entry === null) return [];
    const isBaseline = name === model.baseline;
    const launches = (isBaseline ? [] : (entry.launches[key] ?? [])).flatMap(([block, own]) =>
      base.get(block) > 0 && own > 0 ? [own / base.get(block)] : [],
    );
    const ratio = isBaseline && v !== null ? 1 : (v?.ratio ?? null);
    return [{ label: name, entry, v, ratio, isBaseline, launches: ratio === null ? [] : launches }];
  });
  const sign = metric(key).better === 'lower' ? 1 : -1;
  const place = (row) => (isControl(model, row.label) ? 2 : row.ratio === null ? 1 : 0);
  return rows.sort((a, b) => place(a) - place(b) || sign * (a.ratio - b.ratio) || 0);
}

export const hasForest = (view, key) =>
  forestRows(view, key).some((row) => !row.isBaseline && row.ratio !== null);

// "undecided (≥ 4.1 %)": in brackets the smallest difference that the run would have shown.
export function verdictText(v) {
  if (v.verdict !== 'undecided' || v.detectable === null) return v.verdict;
  return `undecided (≥ ${(100 * v.detectable).toFixed(1)} %)`;
}
const bare = (ratio) => ratioText(ratio).replace('×', '');
export const intervalText = (v) => rangeText(v.ratioLow, v.ratioHigh, bare);

// The text beside a row; small: without the interval.
export function rowText(row, small) {
  if (row.isBaseline) return 'baseline';
  if (row.v === null) return missingText(row.entry);
  if (row.ratio === null) return verdict(row.v.verdict).words;
  const parts = small
    ? [ratioText(row.ratio), row.v.verdict]
    : [ratioText(row.ratio), intervalText(row.v), verdictText(row.v)];
  return parts.filter((part) => part !== '').join(' ');
}

// What the reader of a forest has to know of this cell.
export function forestNote(view, key) {
  const { model } = view;
  const rows = forestRows(view, key);
  const twin = rows.find((row) => isTwin(model, row.label));
  const interval = twin?.v && twin.ratio !== null ? intervalText(twin.v) : '';
  const notes = ['Small dots: the launches. Grey band: equivalent.'];
  if (bestOf(view, key).size > 0)
    notes.push('Bold names may be the best: no other is proved better.');
  if (rows.every((row) => row.v === null || row.v.ratioLow === null))
    notes.push('Fewer than 6 comparable launches, so there are no intervals and no verdicts.');
  if (rows.some((row) => row.v?.verdict === 'undecided' && row.v.detectable !== null))
    notes.push('≥: the smallest difference that this run would have shown.');
  if (interval !== '')
    notes.push(
      `${visible(model.baseline)} against itself: ${ratioText(twin.ratio)} ${interval}, ` +
        `so δ = ${(100 * twin.v.noise).toFixed(1)} %${twin.v.verdict === 'void' ? ': all verdicts here are void' : ''}.`,
    );
  const known = rows.find((row) => isCalibration(model, row.label));
  if (known?.v && known.ratio !== null)
    notes.push(
      `${visible(model.baseline)} with ${model.effective.calibration} more work: ` +
        `${ratioText(known.ratio)} ${intervalText(known.v)}.`,
    );
  return notes.join(' ');
}

export function forestTable(view, key) {
  const fields = ['ratio', 'ratioLow', 'ratioHigh', 'pAdjusted', 'verdict', 'detectable', 'noise'];
  return [
    [
      'backend',
      metric(key).title,
      ...fields.slice(0, 3),
      'p',
      'verdict',
      'would show',
      'δ',
      'best',
    ],
    ...forestRows(view, key).map(({ label, entry, v }) =>
      v === null
        ? [label, missingText(entry), ...fields.map(() => null), null]
        : [
            label,
            v.median,
            ...fields.map((field) => v[field]),
            bestOf(view, key).has(label) ? 'yes' : 'no',
          ],
    ),
  ];
}

export function forestChart(view, canvas, key) {
  const rows = forestRows(view, key);
  const best = bestOf(view, key);
  const small = canvas.width < 520;
  const drawn = rows.filter((row) => row.ratio !== null);
  if (drawn.length === 0) return null;
  const ends = drawn.flatMap(({ ratio, v }) => [ratio, v.ratioLow, v.ratioHigh]);
  const longest = (texts) => Math.max(...texts.map((text) => text.length));
  const option = base(canvas);
  const left = Math.min(
    170,
    longest(rows.map((row) => short(row.label))) * (small ? 6.8 : 7.3) + 14,
  );
  const right = longest(drawn.map((row) => rowText(row, small))) * (small ? 6 : 6.6) + 16;
  option.grid = { left, right: Math.min(canvas.width * 0.55, right), top: 6, bottom: 26 };
  const scale = ratioScale(ends, 34 / (canvas.width - option.grid.left - option.grid.right));
  option.tooltip.axisPointer = { type: 'none' };
  option.xAxis = axis(canvas, scale, '×', '');
  option.yAxis = {
    type: 'category',
    inverse: true,
    data: rows.map((row) => row.label),
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { show: false },
  };
  const place = { canvas, scale, small, best, margin: marginOf(view.model), count: rows.length };
  option.series = [ground(place), marks(place, rows)];
  return {
    option,
    height: rows.length * ROW + 34,
    hover: hoverOf(rows, key),
    names: rows.map((row) => row.label),
  };
}

const custom = (id, data, renderItem) => ({
  type: 'custom',
  id,
  data,
  encode: { x: 0, y: 1 },
  renderItem,
});

// The band of equivalence and the line at 1.
function ground({ canvas, scale, margin, count }) {
  const { theme } = canvas;
  const within = (x) => Math.max(scale.min, Math.min(scale.max, x));
  return {
    ...custom('ground', [[1, 0]], (_, api) => {
      const [left, top] = api.coord([within(1 / (1 + margin)), 0]);
      const [right, bottom] = api.coord([within(1 + margin), count - 1]);
      const [one] = api.coord([1, 0]);
      const y = top - ROW / 2;
      const height = bottom - top + ROW;
      return {
        type: 'group',
        children: [
          {
            type: 'rect',
            shape: { x: left, y, width: right - left, height },
            style: { fill: theme.grid, opacity: 0.7 },
          },
          {
            type: 'line',
            shape: { x1: one, y1: y, x2: one, y2: y + height },
            style: { stroke: theme.axis, lineWidth: 1 },
          },
        ],
      };
    }),
    silent: true,
    z: 1,
    tooltip: { show: false },
  };
}

// A row each: name, launches, interval, ratio and text. Names are no axis labels, which would take a
// brace in them for a mark of their own.
function marks({ canvas, scale, small, best }, rows) {
  const { theme } = canvas;
  const within = (x) => Math.max(scale.min, Math.min(scale.max, x));
  return {
    ...custom(
      'labels',
      rows.map((row, i) => [row.ratio === null ? scale.min : within(row.ratio), i]),
      (params, api) => {
        const row = rows[params.dataIndex];
        const { faint, colour } = look(canvas, row.label);
        const at = (ratio) => api.coord([within(ratio), params.dataIndex])[0];
        const [, y] = api.coord([1, params.dataIndex]);
        const isVoid = row.v?.verdict === 'void';
        const edge = params.coordSys.x + params.coordSys.width;
        const children = row.launches
          .filter((ratio) => ratio >= scale.min && ratio <= scale.max)
          .map((ratio) => ({
            type: 'circle',
            shape: { cx: at(ratio), cy: y + 7, r: 1.5 },
            style: { fill: colour, opacity: 0.55 },
          }));
        if (row.v?.ratioLow != null)
          children.push({
            type: 'line',
            shape: { x1: at(row.v.ratioLow), y1: y, x2: at(row.v.ratioHigh), y2: y },
            style: { stroke: colour, lineWidth: 2.2, lineDash: isVoid ? [3, 3] : null },
          });
        if (row.ratio !== null)
          children.push({
            type: row.isBaseline ? 'rect' : 'circle',
            shape: row.isBaseline
              ? { x: at(1) - 3.5, y: y - 3.5, width: 7, height: 7 }
              : { cx: at(row.ratio), cy: y, r: 4.2 },
            style: { fill: isVoid ? theme.paper : colour, stroke: colour, lineWidth: 1.4 },
          });
        const text = (x, what, fill, more = {}) => ({
          type: 'text',
          x,
          y,
          style: {
            text: what,
            fill: faint ? theme.faint : fill,
            font: `${more.bold ? 'bold ' : ''}${small ? 11 : 12}px ${canvas.font}`,
            align: more.align ?? 'left',
            verticalAlign: 'middle',
          },
        });
        const isBest = best.has(row.label);
        const name = { bold: isBest, align: 'right' };
        children.push(
          text(params.coordSys.x - 8, short(row.label), isBest ? theme.ink : theme.muted, name),
        );
        const { style } = verdict(row.v?.verdict ?? '');
        const beside = short(rowText(row, small), 60);
        if (row.ratio === null) children.push(text(params.coordSys.x + 4, beside, theme.muted));
        else children.push(text(edge + 10, beside, theme[style] ?? theme.muted));
        return { type: 'group', children };
      },
    ),
    z: 3,
  };
}

function hoverOf(rows, key) {
  const { title, unit } = metric(key);
  return (params) => {
    const row = rows[[params].flat().find((p) => p.seriesId === 'labels')?.dataIndex];
    if (row === undefined || row.v === null) return null;
    const { v } = row;
    const ratio = row.ratio === null ? '–' : `${ratioText(row.ratio)} ${intervalText(v)}`;
    const range = showRange(unit, v.median, v.low, v.high);
    return {
      title: visible(row.label),
      rows: [
        [title, `${show(unit, v.median)} ${range}`],
        ...(row.isBaseline ? [] : [['ratio', ratio]]),
        ['verdict', verdictText(v) || verdict(v.verdict).words],
        ...(v.pAdjusted === null
          ? []
          : [['adjusted p', String(Number(v.pAdjusted.toPrecision(3)))]]),
        ['launches', String(v.n)],
      ],
    };
  };
}
