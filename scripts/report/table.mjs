// table.mjs: node table.mjs RUN: the generated part of README.md, in markdown: where and when the run
// was made, and a table of CPU per request, a column for each cell. Values are those of summary.csv.
import { readRun } from './model.mjs';
import { bestOf, axes, headline, marginOf, placeText, ranking, value } from './view.mjs';
import { METRIC_KEYS, grouped, metric, ratioText, verdict, visible } from './words.mjs';

const MEMORY = ['rss_bytes_per_conn', 'kernel_bytes_per_conn', 'task_bytes_per_conn'];
const safe = (text) => visible(text).replace(/[`|<>*\\]/g, '');

function figure(entry, key, isBest) {
  const v = value(entry, key);
  if (v === null || v.median === null) return '–';
  const { proven, sign } = verdict(v.verdict);
  const ratio = v.ratio === null ? '' : ratioText(v.ratio);
  const bold = proven ? `**${ratio}**` : `${sign === '=' ? '= ' : ''}${ratio}`;
  const brackets = v.verdict === 'void' ? 'void' : bold;
  return `${v.median.toFixed(2)}${brackets === '' ? '' : ` (${brackets})`}${isBest ? ' ★' : ''}`;
}

function memory(entry) {
  const parts = MEMORY.map((key) => value(entry, key)?.median ?? null);
  const bytes = parts.reduce((sum, v) => sum + (v ?? 0), 0);
  return parts.every((v) => v === null) ? '–' : (bytes / 1024).toFixed(1);
}

function table(model, x, facet, key) {
  const at = headline(model, facet);
  const place = placeText({ model, x, facet, cell: at });
  const best = facet.cells.map((cell) => bestOf({ model, cell }, key));
  const heads = facet.cells.map((cell) => grouped(model.cells[cell].p[x] ?? ''));
  const rows = ranking(model, at, key).map(({ label, index }) => [
    `\`${safe(label)}\``,
    ...facet.cells.map((cell, i) => figure(model.rows[cell][index], key, best[i].has(label))),
    memory(model.rows[at][index]),
  ]);
  const head = [`${metric(key).title}, µs`, ...heads, `KiB per connection, ${place}`];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), `|---|${'--:|'.repeat(head.length - 1)}`, ...rows.map(line)].join('\n');
}

function where(model, key) {
  const { run, baseline } = model;
  const { cpu = {}, kernel = {} } = run;
  const launches = model.rows.flat().map((entry) => value(entry, key)?.n ?? 0);
  const most = launches.reduce((a, b) => Math.max(a, b), 0);
  return (
    `Experiment \`${safe(run.experiment)}\`, ${String(run.started).slice(0, 10)}: ${safe(cpu.model)}, ` +
    `${safe(cpu.online)} CPUs, Linux ${safe(kernel.release)}, git ${safe(run.git)}; ${most} launches. ` +
    `Medians; in brackets the ratio to \`${safe(baseline)}\`, **bold** where it is proved to differ, ` +
    `=: equivalent within ±${(100 * marginOf(model)).toFixed(0)} %. ★: may be the best of its ` +
    'column, as no other is proved better. `-twin` is the baseline once more (A/A), `-calibration` ' +
    'the baseline with a known share of work added to each request. Memory is of ' +
    'server, kernel and tasks, both ends of a connection.'
  );
}

const model = readRun(process.argv[2]);
const [{ x, facets }] = axes(model);
const key = METRIC_KEYS.find((k) => model.rows.flat().some((entry) => value(entry, k) !== null));
console.log(where(model, key));
for (const facet of facets)
  console.log(`\n${facet.title === '' ? '' : `${facet.title}:\n\n`}${table(model, x, facet, key)}`);
