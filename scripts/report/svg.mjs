// svg.mjs: plots/*.svg: every figure of every facet of a run, drawn by ECharts in node.
import { createRequire } from 'node:module';

import { drawingText } from './drawing.mjs';
import { figures } from './figures.mjs';
import { looks } from './style.mjs';
import { axes, headline } from './view.mjs';

const MOST_FILES = 120;

// {echarts, path}, or null when the library is not installed.
export function loadEcharts() {
  const require = createRequire(import.meta.url);
  try {
    const path = require.resolve('echarts/dist/echarts.min.js');
    return { echarts: require(path), path };
  } catch {
    return null;
  }
}

const slug = (text) =>
  text
    .toLowerCase()
    .replace(/(\d),(?=\d)/g, '$1')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 70);

// [[file name, text]], each figure at its facet's headline cell.
export function svgFiles(echarts, model) {
  const lookup = looks(model.labels);
  const files = new Map();
  for (const { x, facets } of axes(model))
    for (const facet of facets) {
      const view = { model, x, facet, cell: headline(model, facet) };
      for (const figure of figures(view)) {
        if (files.size >= MOST_FILES) return [...files];
        const text = drawingText(echarts, view, figure, lookup);
        if (text === null) continue;
        const stem = slug([figure.id, x === 'connections' ? '' : `by-${x}`, facet.title].join(' '));
        let name = stem;
        for (let n = 2; files.has(`${name}.svg`); n++) name = `${stem}-${n}`;
        files.set(`${name}.svg`, text);
      }
    }
  return [...files];
}
