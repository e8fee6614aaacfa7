// drawing.mjs: one figure as the text of an SVG file, in node and for "download SVG" in the page.
// The bytes depend on the figure alone: ids that ECharts counts through the process are renamed.
import { alternative } from './figures.mjs';
import { FONT, THEMES } from './style.mjs';
import { WHOLE } from './zoom.mjs';

const WIDTH = 760;
const HEAD = 46;

const escape = (text) =>
  text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

// The figure's own unit line, where the axis does not name the unit.
export const unitText = (figure) => (['µs', 'B', ''].includes(figure.unit) ? '' : figure.unit);

export function drawingText(echarts, view, figure, looks) {
  const theme = THEMES.light;
  const drawn = figure.draw({
    theme,
    width: WIDTH,
    looks,
    isolate: null,
    font: FONT,
    zoom: { x: WHOLE, y: WHOLE },
  });
  if (drawn === null) return null;
  const chart = echarts.init(null, null, {
    renderer: 'svg',
    ssr: true,
    width: WIDTH,
    height: drawn.height,
  });
  chart.setOption({ ...drawn.option, tooltip: { show: false } });
  const inner = chart.renderToSVGString();
  chart.dispose();
  const ids = new Map();
  const body = inner.replace(/ (ecmeta_\w+|class)="[^"]*"/g, '').replace(/zr\d+-(\w+)/g, (id) => {
    if (!ids.has(id)) ids.set(id, `m${ids.size}`);
    return ids.get(id);
  });
  const facet = view.facet.title === '' || figure.scope === 'point' ? '' : `, ${view.facet.title}`;
  const title = escape(figure.title + facet);
  const height = drawn.height + HEAD;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" font-family="${FONT}">
<title>${title}</title>
<desc>${escape(alternative(view, figure))}</desc>
<rect width="100%" height="100%" fill="${theme.paper}"/>
<text x="12" y="24" font-size="15" font-weight="600" fill="${theme.ink}">${title}</text>
<text x="12" y="41" font-size="12" fill="${theme.muted}">${escape(unitText(figure))}</text>
<g transform="translate(0 ${HEAD})">${body}</g>
</svg>
`;
}
