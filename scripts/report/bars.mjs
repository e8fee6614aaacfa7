// bars.mjs: horizontal bars at one cell, a row per label. See charts.mjs for what is returned.
import { axis, base, floorPoints, look, pointText, short } from './charts.mjs';
import { scaleFor } from './scale.mjs';
import { missingText, ranking, value, voided } from './view.mjs';
import { metric, show, visible } from './words.mjs';

// Horizontal bars at one cell, a row per label, best first. parts: metrics stacked in the bar;
// total: the metric whose figure and interval are at its end; floor: metric of a reference line.
export function barChart(view, canvas, parts, total, floor = null) {
  const { model, cell, x } = view;
  const bars = ranking(model, cell, total ?? parts[0]).map((row) =>
    barOf(row.label, model.rows[cell][row.index], parts, total),
  );
  const { unit } = metric(parts[0]);
  const floors = floor === null ? [] : floorPoints(view, floor);
  const reference = floors.find((point) => point[0] === model.cells[cell].p[x])?.[1] ?? null;
  const option = base(canvas);
  const longest = Math.max(...bars.map((bar) => short(bar.label).length));
  option.grid = { left: Math.min(160, longest * 6.7 + 14), right: 74, top: 18, bottom: 24 };
  option.tooltip.axisPointer = { type: 'none' };
  const reach = [...bars.flatMap((bar) => [bar.sum, bar.end]), reference ?? 0];
  option.xAxis = axis(canvas, scaleFor(reach, unit, true), unit, '');
  option.yAxis = labelAxis(canvas, bars);
  option.series = parts.map((key, depth) => partSeries(canvas, bars, parts, depth));
  if (reference !== null) option.series[0].markLine = floorMark(canvas, reference);
  option.series.push(endTexts(canvas, bars, unit), whiskers(canvas, bars));
  return { option, height: bars.length * 21 + 48, hover: hoverOf(bars, parts, total, unit) };
}

// One bar: its parts, their sum, the total with its interval, and where the text after it begins.
// A total without parts (a trial too short to tell user from system) is drawn undivided.
function barOf(label, entry, parts, total) {
  const values = parts.map((key) => value(entry, key)?.median ?? null);
  const whole = total === null ? null : value(entry, total);
  const undivided = values.every((v) => v === null) && whole?.median != null;
  const sum = undivided ? whole.median : values.reduce((all, v) => all + (v ?? 0), 0);
  const known = undivided || values.some((v) => v !== null);
  const end = Math.max(0, sum, whole?.high ?? 0);
  return { label, entry, values, whole, undivided, sum, known, end: known ? end : 0 };
}

function labelAxis({ theme }, bars) {
  return {
    type: 'category',
    inverse: true,
    data: bars.map((bar) => bar.label),
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: theme.ink, fontSize: 12, interval: 0, formatter: (name) => short(name) },
  };
}

const OPACITY = { parts: [0.92, 0.45], undivided: 0.25 };

function partSeries(canvas, bars, parts, depth) {
  const key = parts[depth];
  const itemOf = (bar) => {
    const whole = bar.undivided && depth === 0;
    const opacity = whole ? OPACITY.undivided : OPACITY.parts[Math.min(depth, 1)];
    return {
      value: whole ? bar.sum : bar.values[depth],
      itemStyle: barStyle(canvas, bar.label, opacity, voided(bar.entry, key)),
    };
  };
  return {
    type: 'bar',
    id: `part:${key}`,
    name: metric(key).title,
    stack: 'parts',
    barWidth: 11,
    emphasis: { disabled: true },
    data: bars.map(itemOf),
  };
}

// The text after a bar: its figure, or why there is none.
function endTexts({ theme }, bars, unit) {
  const text = ({ known, whole, sum, entry }) =>
    known ? show(unit, whole?.median ?? sum) : missingText(entry);
  return {
    type: 'scatter',
    id: 'ends',
    symbolSize: 0,
    silent: true,
    data: bars.map((bar, i) => [bar.end, i]),
    tooltip: { show: false },
    label: {
      show: true,
      position: 'right',
      distance: 5,
      fontSize: 11,
      color: theme.muted,
      formatter: (p) => short(text(bars[p.dataIndex]), 44),
    },
  };
}

function hoverOf(bars, parts, total, unit) {
  const keys = total === null || parts.includes(total) ? parts : [...parts, total];
  return (params) => {
    const bar = bars[[params].flat()[0]?.dataIndex];
    if (bar === undefined) return null;
    const rows = keys.flatMap((key) => {
      const v = value(bar.entry, key);
      return v === null ? [] : [[metric(key).title, pointText(unit, v)]];
    });
    return { title: visible(bar.label), rows };
  };
}

function barStyle(canvas, label, opacity, isVoid) {
  const { colour } = look(canvas, label);
  if (isVoid)
    return { color: canvas.theme.paper, borderColor: colour, borderWidth: 1, borderType: 'dashed' };
  return { color: colour, opacity };
}

function whiskers(canvas, bars) {
  const data = bars.flatMap(({ whole }, i) =>
    whole === null || whole.low === null ? [] : [[i, whole.low, whole.high]],
  );
  return {
    type: 'custom',
    id: 'whiskers',
    silent: true,
    z: 5,
    tooltip: { show: false },
    data,
    encode: { x: [1, 2], y: 0 },
    renderItem: (_, api) => {
      const [left, y] = api.coord([api.value(1), api.value(0)]);
      const [right] = api.coord([api.value(2), api.value(0)]);
      const style = { stroke: canvas.theme.ink, lineWidth: 1.2, fill: null };
      const part = (x1, y1, x2, y2) => ({ type: 'line', shape: { x1, y1, x2, y2 }, style });
      return {
        type: 'group',
        children: [
          part(left, y, right, y),
          part(left, y - 3, left, y + 3),
          part(right, y - 3, right, y + 3),
        ],
      };
    },
  };
}

function floorMark({ theme }, at) {
  return {
    symbol: 'none',
    silent: true,
    animation: false,
    data: [{ xAxis: at }],
    lineStyle: { color: theme.ink, width: 1, type: [1, 3] },
    label: {
      position: 'start',
      distance: 4,
      color: theme.muted,
      fontSize: 11,
      formatter: () => `floor ${show('µs', at)}`,
      show: true,
    },
  };
}
