// charts.mjs: lines as ECharts options, and what all charts share. Pure functions of a view
// (view.mjs) and a canvas {theme, width, looks, isolate}: the same option draws in the page and, in
// node, the SVG file. Each returns {option, height, hover}: hover(params) gives the text of a
// tooltip as {title, rows: [[label, text]]}; the page makes elements of it, so that no text becomes
// markup.
import { endLabels } from './endlabels.mjs';
import { scaleFor, sweepScale, zoomed, zoomedSweep } from './scale.mjs';
import { FONT, colourOf } from './style.mjs';
import { line, value, xText } from './view.mjs';
import { metric, parameter, show, showRange, tick, visible } from './words.mjs';

export const short = (name, most = 22) => {
  const text = visible(name);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
};

export function base({ theme, width }) {
  return {
    animation: false,
    textStyle: { fontFamily: FONT, color: theme.ink },
    tooltip: {
      trigger: 'axis',
      confine: true,
      transitionDuration: 0,
      padding: 0,
      borderWidth: 0,
      extraCssText: 'box-shadow:none;background:none',
      axisPointer: { type: 'line', lineStyle: { color: theme.axis, width: 1, type: 'solid' } },
    },
    grid: { left: width < 480 ? 48 : 58, right: 16, top: 12, bottom: 44, containLabel: false },
  };
}

export function axis({ theme }, scale, unit, name, extra = {}) {
  return {
    type: scale.type,
    min: scale.min,
    max: scale.max,
    name,
    nameLocation: 'middle',
    nameGap: 28,
    nameTextStyle: { color: theme.muted, fontSize: 12 },
    axisLine: { show: false },
    axisTick: { show: false, customValues: scale.ticks },
    axisLabel: {
      color: theme.muted,
      fontSize: 11,
      customValues: scale.ticks,
      hideOverlap: true,
      formatter: (v) => tick(unit, v),
    },
    splitLine: {
      show: true,
      lineStyle: { color: theme.grid, width: 1 },
      customValues: scale.ticks,
    },
    minorTick: { show: false },
    ...extra,
  };
}

// Colour, dash and symbol of a label on this canvas; a label that is not isolated recedes.
export function look(canvas, name) {
  const found = canvas.looks.get(name);
  const faint = canvas.isolate !== null && canvas.isolate !== name;
  return {
    faint,
    dash: found.dash.length > 0 ? found.dash : 'solid',
    symbol: `path://${found.symbol}`,
    colour: faint ? canvas.theme.faint : colourOf(found, canvas.theme),
  };
}

function bandSeries(canvas, label, points) {
  const whole = points.filter((p) => p.low !== null && p.high !== null && p.low > 0);
  if (whole.length < 2) return [];
  const { colour } = look(canvas, label);
  return [
    {
      type: 'custom',
      id: `band:${label}`,
      name: label,
      silent: true,
      z: 1,
      clip: true,
      data: [[whole[0].x, whole[0].median]],
      tooltip: { show: false },
      renderItem: (_, api) => ({
        type: 'polygon',
        silent: true,
        shape: {
          points: [
            ...whole.map((p) => api.coord([p.x, p.high])),
            ...[...whole].reverse().map((p) => api.coord([p.x, p.low])),
          ],
        },
        style: { fill: colour, opacity: 0.13 },
      }),
    },
  ];
}

// The line of one label.
export function labelled(canvas, label, data, extra = {}) {
  const { colour, dash, faint, symbol } = look(canvas, label);
  const small = canvas.width < 480;
  return {
    type: 'line',
    id: `line:${label}`,
    name: label,
    data,
    symbol,
    symbolSize: small ? 6 : 7,
    z: faint ? 2 : 3,
    lineStyle: { color: colour, width: faint ? 1 : 1.8, type: dash },
    itemStyle: { color: colour, opacity: 1 },
    emphasis: { disabled: true },
    triggerLineEvent: true,
    ...extra,
  };
}

// The names at the ends of such lines; those that recede have none. lines: [[label, points]].
export function names(canvas, lines, more = []) {
  const own = lines
    .filter(([label]) => !look(canvas, label).faint)
    .map(([label, points]) => ({
      name: label,
      text: short(label, canvas.width < 480 ? 12 : 20),
      colour: look(canvas, label).colour,
      points,
    }));
  return endLabels(canvas, [...own, ...more]);
}

export function gutter(canvas, names) {
  const small = canvas.width < 480;
  const longest = Math.max(4, ...names.map((name) => short(name, small ? 12 : 20).length));
  return Math.round(longest * (small ? 5.6 : 6.7)) + 18;
}

// One metric against the x of the view; floor: metric drawn as one reference line, or null.
export function lineChart(view, canvas, key, floor = null) {
  const { unit } = metric(key);
  const lines = line(view, key).filter((l) => l.points.length > 0);
  const xs = view.facet.cells.map((cell) => view.model.cells[cell].p[view.x]);
  const floors = floor === null ? [] : floorPoints(view, floor);
  const y = scaleFor(
    [
      ...lines.flatMap((l) => l.points.flatMap((p) => [p.low ?? p.median, p.high ?? p.median])),
      ...floors.map((p) => p[1]),
    ],
    unit,
  );
  const option = base(canvas);
  option.grid.right = gutter(
    canvas,
    lines.map((l) => l.label),
  );
  option.xAxis = axis(canvas, zoomedSweep(sweepScale(xs), canvas.zoom.x), '', parameter(view.x), {
    axisPointer: { show: true },
  });
  option.yAxis = axis(canvas, zoomed(y, canvas.zoom.y, unit), unit, '');
  option.series = lines.flatMap((l) => [
    ...(canvas.isolate === null || canvas.isolate === l.label
      ? bandSeries(canvas, l.label, l.points)
      : []),
    labelled(
      canvas,
      l.label,
      l.points.map((p) => pointOf(canvas, l.label, p)),
    ),
  ]);
  const drawFloor = floors.length > 1;
  if (drawFloor) option.series.push(floorSeries(canvas, floors));
  option.series.push(
    names(
      canvas,
      lines.map((l) => [l.label, l.points.map((p) => [p.x, p.median])]),
      drawFloor
        ? [{ name: '', text: 'floor', colour: canvas.theme.ink, points: floors, italic: true }]
        : [],
    ),
  );
  const texts = new Map(
    lines.map((l) => [l.label, new Map(l.points.map((p) => [p.x, pointText(unit, p)]))]),
  );
  const hover = (params) => hoverRows(view, key, params, texts);
  const ends = lines.map((l) => l.label).filter((name) => !look(canvas, name).faint);
  return { option, height: Math.max(290, lines.length * 14 + 80), hover, names: ends };
}

function pointOf(canvas, label, p) {
  if (!p.hollow) return [p.x, p.median];
  const { colour } = look(canvas, label);
  return {
    value: [p.x, p.median],
    itemStyle: { color: canvas.theme.paper, borderColor: colour, borderWidth: 1.6 },
  };
}

export const pointText = (unit, p) => {
  const range = showRange(unit, p.median, p.low, p.high);
  return `${show(unit, p.median)}${range === '' ? '' : ` ${range}`}${p.hollow ? ' (void)' : ''}`;
};

function hoverRows(view, key, params, texts) {
  const hits = [params].flat().filter((p) => p.seriesType === 'line' && texts.has(p.seriesName));
  if (hits.length === 0) return null;
  const at = hits[0].value[0];
  const sign = metric(key).better === 'lower' ? 1 : -1;
  hits.sort((a, b) => sign * (a.value[1] - b.value[1]));
  return {
    title: xText(view.x, at),
    rows: hits.map((h) => [h.seriesName, texts.get(h.seriesName).get(at) ?? '']),
  };
}

// The floor is a property of the host and the cell: the median over the labels that have it.
export function floorPoints({ model, facet, x }, floor) {
  return facet.cells.flatMap((cell) => {
    const values = model.rows[cell]
      .map((entry) => value(entry, floor)?.median)
      .filter((v) => v > 0);
    values.sort((a, b) => a - b);
    return values.length === 0 ? [] : [[model.cells[cell].p[x], values[values.length >> 1]]];
  });
}

function floorSeries(canvas, data) {
  const { ink } = canvas.theme;
  return {
    type: 'line',
    id: 'floor',
    name: 'floor',
    data,
    symbol: 'none',
    silent: true,
    z: 2,
    lineStyle: { color: ink, width: 1, type: [1, 3] },
    tooltip: { show: false },
  };
}
