// endlabels.mjs: the names at the right ends of lines. ECharts' own end labels only push each other
// downwards and vanish when zoomed; here they move as little as possible, in both directions, stand
// at the edge of what is visible, and have a thin leader to their line when moved.

// Nearest positions to `wanted` (ascending) that keep `gap` and stay within [top, bottom].
export function spread(wanted, gap, top, bottom) {
  const blocks = [];
  wanted.forEach((y, i) => {
    blocks.push({ first: i, count: 1, sum: y });
    while (blocks.length > 1) {
      const [a, b] = blocks.slice(-2);
      const end = a.sum / a.count + ((a.count - 1) * gap) / 2;
      const start = b.sum / b.count - ((b.count - 1) * gap) / 2;
      if (end + gap <= start) break;
      blocks.splice(-2, 2, { first: a.first, count: a.count + b.count, sum: a.sum + b.sum });
    }
  });
  const at = [];
  for (const { count, sum } of blocks) {
    const start = sum / count - ((count - 1) * gap) / 2;
    for (let i = 0; i < count; i++) at.push(start + i * gap);
  }
  for (let i = 0; i < at.length; i++) at[i] = Math.max(at[i], i === 0 ? top : at[i - 1] + gap);
  for (let i = at.length - 1; i >= 0; i--)
    at[i] = Math.min(at[i], i === at.length - 1 ? bottom : at[i + 1] - gap);
  return at;
}

// Where a line leaves the grid: its last point, or where it crosses the right edge; null if it is
// not in the grid.
function endOf(pixels, box) {
  const right = box.x + box.width;
  const inside = (y) => y >= box.y - 1 && y <= box.y + box.height + 1;
  for (let i = pixels.length - 1; i >= 0; i--) {
    const [x, y] = pixels[i];
    if (x > right + 0.5) {
      const before = pixels[i - 1];
      if (!before || before[0] > right) continue;
      const t = (right - before[0]) / (x - before[0]);
      const cross = before[1] + t * (y - before[1]);
      return inside(cross) ? { x: right, y: cross } : null;
    }
    if (x < box.x - 0.5 || !inside(y)) return null;
    return { x, y };
  }
  return null;
}

const ROOM = 90; // px that a name beside its line needs

// Keeps ends that share a place apart: those near the right edge stand beside it, the others after
// their own point.
function layout(api, box, lines, gap) {
  const ends = lines.map((line) => {
    const pixels = line.points.map((p) => api.coord(p));
    return endOf(pixels, box);
  });
  const right = box.x + box.width;
  const groups = new Map();
  ends.forEach((end, i) => {
    if (!end) return;
    end.edge = right - end.x < ROOM;
    const place = end.edge ? 'edge' : Math.round(end.x);
    groups.set(place, [...(groups.get(place) ?? []), { end, i }]);
  });
  for (const group of groups.values()) {
    group.sort((a, b) => a.end.y - b.end.y || a.i - b.i);
    const wanted = group.map(({ end }) => end.y);
    const at = spread(wanted, gap, box.y + 2, box.y + box.height + 20);
    group.forEach(({ end }, rank) => (end.at = at[rank]));
  }
  return ends;
}

// lines: [{name, text, colour, points: [[x, y]], italic}]. A series to add after all others.
export function endLabels(canvas, lines) {
  const small = canvas.width < 480;
  const size = small ? 10 : 12;
  return {
    type: 'custom',
    id: 'labels',
    name: 'labels',
    z: 6,
    clip: false,
    tooltip: { show: false },
    data: lines.map((line) => [...line.points.at(-1)]),
    renderItem: (params, api) => {
      const box = params.coordSys;
      const line = lines[params.dataIndex];
      const end = layout(api, box, lines, size + 1)[params.dataIndex];
      if (!end) return null;
      const [x, y] = end.edge ? [box.x + box.width + 11, end.at] : [end.x + 7, end.at];
      const text = {
        type: 'text',
        x,
        y,
        cursor: 'pointer',
        style: {
          text: line.text,
          fill: line.colour,
          font: `${line.italic ? 'italic ' : ''}${size}px ${canvas.font}`,
          verticalAlign: 'middle',
          backgroundColor: end.edge ? null : canvas.theme.paper,
          padding: [0, 2],
        },
      };
      const leader = {
        type: 'line',
        silent: true,
        shape: { x1: end.x + 4, y1: end.y, x2: x, y2: y },
        style: { stroke: line.colour, lineWidth: 0.7, opacity: 0.6 },
      };
      return {
        type: 'group',
        children: end.edge && Math.abs(y - end.y) > 2 ? [leader, text] : [text],
      };
    },
  };
}
