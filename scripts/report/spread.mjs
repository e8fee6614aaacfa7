// spread.mjs: charts of whole distributions: percentiles on a 1/(1-p) axis, and latency over time
// as heat maps, one small map per label. See charts.mjs for what a chart function returns.
import { axis, base, gutter, labelled, look, names, short } from './charts.mjs';
import { BUCKETS_PER_DECADE, scaleFor, zoomed, zoomedSweep } from './scale.mjs';
import { voided } from './view.mjs';
import { show, tick } from './words.mjs';

const RANKS = [
  [1, '0 %'],
  [2, '50 %'],
  [10, '90 %'],
  [100, '99 %'],
  [1e3, '99.9 %'],
  [1e4, '99.99 %'],
  [1e5, '99.999 %'],
  [1e6, '99.9999 %'],
];
const BEYOND = 10; // samples that have to lie beyond a percentile that is drawn

// [[1/(1-p), value, p]] as far as the samples carry it. curve: {samples, points} or nothing.
export function percentilePoints(curve) {
  if (!curve) return [];
  const most = curve.samples > 0 ? curve.samples / BEYOND : Infinity;
  return curve.points
    .filter(([p]) => p < 100)
    .map(([p, us]) => [1 / (1 - p / 100), us, p])
    .filter(([rank, us]) => rank <= most * 1.001 && us > 0);
}

export function percentileChart(view, canvas) {
  const { model, cell } = view;
  const lines = model.labels
    .map((label, i) => ({
      label: label.name,
      points: percentilePoints(model.percentiles[cell]?.[i]),
      void: voided(model.rows[cell][i], 'response_p99_us'),
    }))
    .filter((l) => l.points.length > 1);
  if (lines.length === 0) return null;
  const reach = Math.max(...lines.map((l) => l.points.at(-1)[0]));
  const ranks = RANKS.filter(([rank]) => rank <= reach);
  const x = { type: 'log', min: 1, max: Math.max(10, reach), ticks: ranks.map(([rank]) => rank) };
  const option = base(canvas);
  option.grid.right = gutter(
    canvas,
    lines.map((l) => l.label),
  );
  option.xAxis = axis(
    canvas,
    zoomedSweep(x, canvas.zoom.x),
    '',
    'share of requests answered by then',
  );
  option.xAxis.axisLabel.formatter = (v) =>
    RANKS.find(([rank]) => Math.abs(rank - v) < rank * 1e-6)?.[1] ?? '';
  option.yAxis = axis(
    canvas,
    zoomed(
      scaleFor(
        lines.flatMap((l) => l.points.map((p) => p[1])),
        'µs',
      ),
      canvas.zoom.y,
      'µs',
    ),
    'µs',
    '',
  );
  option.series = lines.map((l) =>
    labelled(
      canvas,
      l.label,
      l.points.map((p) => p.slice(0, 2)),
      { showSymbol: false },
    ),
  );
  option.series.push(
    names(
      canvas,
      lines.map((l) => [l.label, l.points.map((p) => p.slice(0, 2))]),
    ),
  );
  for (const [i, l] of lines.entries()) if (l.void) option.series[i].lineStyle.opacity = 0.45;
  const hover = (params) => {
    const hits = [params].flat().filter((p) => p.seriesType === 'line');
    if (hits.length === 0) return null;
    const rank = hits[0].value[0];
    const percent = Number((100 * (1 - 1 / rank)).toPrecision(6));
    hits.sort((a, b) => a.value[1] - b.value[1]);
    return {
      title: `${percent} % of requests within`,
      rows: hits.map((h) => [h.seriesName, show('µs', h.value[1])]),
    };
  };
  const ends = lines.map((l) => l.label).filter((name) => !look(canvas, name).faint);
  return { option, height: Math.max(290, lines.length * 14 + 80), hover, names: ends };
}

// ---- Heat ------------------------------------------------------------------------------------

export const bucketUs = (bucket) => 10 ** (bucket / BUCKETS_PER_DECADE) / 1000;

const CAPTION = 22; // px above a map
const AXIS = 22; // px below it

// Where the small maps are: {across, left, wide, tall}, and what they share: rows and steps of the
// grid, the first row, the largest count.
function heatLayout(maps, canvas) {
  const all = maps.flatMap(({ heat }) => heat.buckets);
  const most = (of) => all.reduce((found, bucket) => Math.max(found, of(bucket)), 0);
  const from = all.reduce((found, [, row]) => Math.min(found, row), Infinity);
  const left = 46;
  const across = Math.max(1, Math.min(maps.length, Math.floor(canvas.width / 210)));
  return {
    across,
    left,
    wide: (canvas.width - left - 8) / across,
    tall: maps.length === 1 ? 240 : 104,
    from,
    rows: most(([, row]) => row) - from + 1,
    steps: most(([t]) => t) + 1,
    most: most(([, , count]) => count),
  };
}

// Adds one map to the option.
function addHeatMap(option, canvas, layout, { label, heat }, i) {
  const { across, left, wide, tall, from, rows, steps } = layout;
  const column = i % across;
  const x = left + column * wide;
  const top = Math.floor(i / across) * (tall + CAPTION + AXIS) + CAPTION;
  const seconds = (t) => `${Number((t * heat.step_s).toFixed(2))} s`;
  option.grid.push({ left: x, width: wide - 14, top, height: tall });
  option.title.push({
    text: short(label, 26),
    left: x,
    top: top - 20,
    padding: 0,
    textStyle: {
      fontSize: 12,
      fontWeight: 600,
      color: canvas.theme.ink,
      fontFamily: option.textStyle.fontFamily,
    },
  });
  const times = Array.from({ length: steps }, (_, t) => seconds(t));
  const decades = Array.from({ length: rows }, (_, row) => decadeLabel(row + from));
  option.xAxis.push(heatAxis(canvas, i, times, true, steps - 1));
  option.yAxis.push(heatAxis(canvas, i, decades, column === 0));
  option.series.push({
    type: 'heatmap',
    id: `heat:${label}`,
    name: label,
    xAxisIndex: i,
    yAxisIndex: i,
    progressive: 0,
    emphasis: { disabled: true },
    data: heat.buckets.map(([t, row, count]) => [t, row - from, Math.log10(count + 1), count]),
  });
}

function heatHover(maps, { from }) {
  return (p) => {
    if (!Array.isArray(p?.value)) return null;
    const [t, row, , count] = p.value;
    const low = show('µs', bucketUs(row + from));
    const high = show('µs', bucketUs(row + from + 1));
    const step = maps[p.seriesIndex].heat.step_s;
    return {
      title: short(p.seriesName, 40),
      rows: [
        ['from', `${Number((t * step).toFixed(2))} s`],
        [`${low} to ${high}`, `${tick('', count)} requests`],
      ],
    };
  };
}

export function heatChart(view, canvas) {
  const { model, cell } = view;
  const maps = model.labels
    .map((label, i) => ({ label: label.name, heat: model.heat[cell]?.[i] ?? null }))
    .filter((m) => m.heat?.steps >= 3 && (canvas.isolate === null || canvas.isolate === m.label));
  if (maps.length === 0) return null;
  const layout = heatLayout(maps, canvas);
  const option = base(canvas);
  Object.assign(option, { grid: [], xAxis: [], yAxis: [], series: [], title: [] });
  option.tooltip.trigger = 'item';
  option.visualMap = {
    show: false,
    type: 'continuous',
    min: 0,
    max: Math.log10(layout.most + 1),
    dimension: 2,
    inRange: { color: canvas.theme.heat },
  };
  maps.forEach((map, i) => addHeatMap(option, canvas, layout, map, i));
  const lines = Math.ceil(maps.length / layout.across);
  const height = lines * (layout.tall + CAPTION + AXIS) + 8;
  return { option, height, hover: heatHover(maps, layout) };
}

function decadeLabel(bucket) {
  return bucket % BUCKETS_PER_DECADE === 0 ? tick('µs', bucketUs(bucket)) : '';
}
function heatAxis({ theme }, gridIndex, data, labels, every = 0) {
  return {
    type: 'category',
    gridIndex,
    data,
    axisTick: { show: false },
    axisLine: { lineStyle: { color: theme.grid } },
    axisLabel: {
      show: labels,
      color: theme.muted,
      fontSize: 10,
      alignMinLabel: every > 0 ? 'left' : null,
      alignMaxLabel: every > 0 ? 'right' : null,
      interval: every > 0 ? (i) => i === 0 || i === every : (i) => data[i] !== '',
    },
    splitLine: { show: false },
    axisPointer: { show: false },
  };
}
