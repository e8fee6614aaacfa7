// page.mjs: report.html: one file with the library, the modules of the page, the style and the
// data. It opens from disk and contacts nothing: a content security policy allows exactly the
// scripts that are in it, by hash, and no connection. Data is JSON in a block that is never
// executed.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const here = (name) => new URL(name, import.meta.url);
const read = (name) => readFileSync(here(name), 'utf8');

// One module as a function: `import {a as b} from './m.mjs'` becomes a look-up, and what it exports
// is returned. Modules of the page use these two forms only.
function wrap(name) {
  const exported = [];
  const body = read(name)
    .replace(
      /^import \{([^}]*)\} from '\.\/([\w-]+)\.mjs';$/gm,
      (_, names, from) => `const {${names.replace(/ as /g, ': ')}} = modules['${from}'];`,
    )
    .replace(/^export (async function|function|const) (\w+)/gm, (_, kind, what) => {
      exported.push(what);
      return `${kind} ${what}`;
    })
    .replace(/^\s*\/\/.*$/gm, '');
  if (/^(import|export)\b/m.test(body))
    throw new Error(`${name}: an import or export of a form that page.mjs does not know`);
  return `modules['${name.replace('.mjs', '')}'] = (() => {\n${body}\nreturn {${exported.join(', ')}};\n})();\n`;
}

export function bundle(names) {
  return `'use strict';\nconst modules = {};\n${names.map(wrap).join('')}`;
}

const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

// JSON that cannot end its script block or be taken for markup, whatever strings it holds.
export const embeddable = (value) =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

function scriptSafe(text, what) {
  if (/<\/script|<!--/i.test(text)) throw new Error(`${what} cannot stand in a script block`);
  return text;
}

const COMMON = [
  'words.mjs',
  'style.mjs',
  'scale.mjs',
  'zoom.mjs',
  'view.mjs',
  'endlabels.mjs',
  'charts.mjs',
  'bars.mjs',
  'forest.mjs',
  'spread.mjs',
  'figures.mjs',
  'drawing.mjs',
  'dom.mjs',
  'facts.mjs',
  'tables.mjs',
];

// title and eyebrow are plain text; body is markup of ours; data becomes the element #model.
export function htmlPage({ title, body, data, modules, library, notice }) {
  const code = scriptSafe(bundle(modules), 'the page');
  const lib = library === null ? '' : scriptSafe(library, 'the library');
  const plain = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const policy = `default-src 'none'; script-src ${hash(lib)} ${hash(code)}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${plain(title)}</title>
<style>
${read('page.css')}</style>
</head>
<body>
${body}
<footer>
<details><summary>Licences</summary><pre>${plain(notice)}</pre></details>
</footer>
<script type="application/json" id="model">${embeddable(data)}</script>
<script>${lib}</script>
<script>${code}</script>
</body>
</html>
`;
}

export function runPage(model, library, notice) {
  const body = `<header>
<p class="eyebrow" id="eyebrow"></p>
<h1 id="question"></h1>
<ul class="answers" id="answers"></ul>
<ul class="warn" id="warnings"></ul>
</header>
<noscript><main><p>This page draws with the scripts inside it; the same charts are in plots/*.svg, the figures in summary.csv.</p></main></noscript>
<nav class="controls" aria-label="what is shown"><div id="controls"></div></nav>
<main>
<section><h2 id="ranking-title">Ranking</h2>
<div id="ranking"></div>
<p class="lead" id="ranking-lead"></p></section>
<section id="forest-part"><h2>Against the baseline</h2><p class="lead" id="forest-lead"></p>
<div class="grid" id="forests"></div></section>
<section id="matrix-part"><h2>All points at a glance</h2><p class="lead" id="matrix-lead"></p><div id="matrix"></div></section>
<section><h2>Charts</h2>
<p class="lead">Bands and whiskers are the intervals of summary.csv. Ctrl and wheel, or the buttons, zoom; drag to move.</p>
<div class="grid" id="charts"></div></section>
<section><h2>How it was made</h2><div id="facts"></div></section>
</main>`;
  return htmlPage({
    title: `${model.id} · muxbench`,
    body,
    data: model,
    modules: [...COMMON, 'app.mjs'],
    library,
    notice,
  });
}

export function comparisonPage(comparison, notice) {
  const body = `<header>
<h1 id="question"></h1>
<ul class="answers" id="answers"></ul>
<ul class="warn" id="warnings"></ul>
</header>
<noscript><main><p>This page draws with the scripts inside it; muxbench compare prints the same.</p></main></noscript>
<nav class="controls" aria-label="what is shown"><div id="controls"></div></nav>
<main>
<section><h2>Per cell</h2><div id="comparison"></div>
<p class="lead">Before and after are each label’s ratio to the baseline, which is the same in both runs: what has changed for all of them, such as the host, is in both sides of a ratio. Dots are after ÷ before on a log scale, lines their 95 % intervals, which hold for all labels of a cell at once; the upright line is 1. A cell whose A/A twin has changed is void.</p></section>
<section><h2>What else differs between the runs</h2><div id="differences"></div></section>
</main>`;
  const title = `${comparison.runs.map((r) => r.id).join(' against ')} · muxbench`;
  const modules = ['words.mjs', 'style.mjs', 'dom.mjs', 'compare_app.mjs'];
  return htmlPage({ title, body, data: comparison, modules, library: null, notice });
}
