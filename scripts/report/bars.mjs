// bars.mjs: horizontal bars at one cell, a row a label. See charts.mjs for what is returned.
import { axis, base, floorPoints, look, pointText, short } from './charts.mjs';
import { scaleFor } from './scale.mjs';
import { missingText, ranking, value, voided } from './view.mjs';
import { metric, show, visible } from './words.mjs';

// Horizontal bars at one cell, one row a label, best first. parts: metrics stacked in the bar;
// total: the metric whose figure and interval stand at its end; floor: metric of a reference line.
export function barChart(view, canvas, parts, total, floor = null) {
  const { model, cell } = view;
  const rows = ranking(model, cell, total ?? parts[0]);
  const entries = rows.map((row) => model.rows[cell][row.index]);
  const sums = entries.map((entry) =>
    parts.reduce((sum, key) => sum + (value(entry, key)?.median ?? 0), 0),
  );
  const totals = entries.map((entry) => (total === null ? null : value(entry, total)));
  const { unit } = metric(parts[0]);
  const reference =
    floor === null
      ? null
      : (floorPoints(view, floor).find(([x]) => x === model.cells[cell].p[view.x])?.[1] ?? null);
  const reach = [...sums, ...totals.map((t) => t?.high ?? t?.median ?? 0), reference ?? 0];
  const option = base(canvas);
  const longest = Math.max(...rows.map((row) => short(row.label).length));
  option.grid = { left: Math.min(160, longest * 6.7 + 14), right: 74, top: 18, bottom: 24 };
  option.tooltip.axisPointer = { type: 'none' };
  option.xAxis = axis(canvas, scaleFor(reach, unit, true), unit, '');
  option.yAxis = {
    type: 'category',
    inverse: true,
    data: rows.map((row) => row.label),
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: {
      color: canvas.theme.ink,
      fontSize: 12,
      interval: 0,
      formatter: (name) => short(name),
    },
  };
  option.series = parts.map((key, depth) => ({
    type: 'bar',
    id: `part:${key}`,
    name: metric(key).title,
    stack: 'parts',
    barWidth: 11,
    emphasis: { disabled: true },
    data: rows.map((row, i) => ({
      value: value(entries[i], key)?.median ?? null,
      itemStyle: barStyle(canvas, row.label, depth, voided(entries[i], key)),
    })),
  }));
  const ends = rows.map((row, i) => {
    if (parts.every((key) => value(entries[i], key) === null))
      return { text: missingText(entries[i]), at: 0 };
    const amount = totals[i]?.median ?? sums[i];
    return { text: show(unit, amount), at: Math.max(0, sums[i], totals[i]?.high ?? 0) };
  });
  option.series.push({
    type: 'scatter',
    id: 'ends',
    symbolSize: 0,
    silent: true,
    data: ends.map((end, i) => [end.at, i]),
    tooltip: { show: false },
    label: {
      show: true,
      position: 'right',
      distance: 5,
      fontSize: 11,
      color: canvas.theme.muted,
      formatter: (p) => short(ends[p.dataIndex].text, 44),
    },
  });
  option.series.push(whiskers(canvas, totals));
  if (reference !== null) option.series[0].markLine = floorMark(canvas, reference);
  const hover = (params) => {
    const at = [params].flat()[0]?.dataIndex;
    if (at === undefined) return null;
    const figures = [...parts, ...(total !== null && !parts.includes(total) ? [total] : [])];
    return {
      title: visible(rows[at].label),
      rows: figures.flatMap((key) => {
        const v = value(entries[at], key);
        return v === null ? [] : [[metric(key).title, pointText(unit, v)]];
      }),
    };
  };
  return { option, height: rows.length * 21 + 48, hover };
}

function barStyle(canvas, label, depth, isVoid) {
  const { colour } = look(canvas, label);
  if (isVoid)
    return { color: canvas.theme.paper, borderColor: colour, borderWidth: 1, borderType: 'dashed' };
  return { color: colour, opacity: depth === 0 ? 0.92 : 0.45 };
}

function whiskers(canvas, totals) {
  const data = totals.flatMap((t, i) => (t === null || t.low === null ? [] : [[i, t.low, t.high]]));
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
