// report.mjs: node report.mjs RUN: writes RUN/report.html and RUN/plots/*.svg from the files of the
// run directory alone. Exit 0 done; 1 could not be written; 2 the directory is refused, in one line;
// 4 the chart library is not installed. Files are put in place by rename, all or none.
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { readRun } from './model.mjs';
import { runPage } from './page.mjs';
import { Refusal } from './read.mjs';
import { loadEcharts, svgFiles } from './svg.mjs';
import { visible } from './words.mjs';

const EXIT = { ok: 0, failed: 1, usage: 2, library: 4 };

function noticeOf(library) {
  const root = dirname(dirname(library.path));
  return ['NOTICE', 'LICENSE'].map((name) => readFileSync(join(root, name), 'utf8')).join('\n');
}

// Swaps a finished directory in for the old one.
function replaceDirectory(finished, path) {
  const old = `${path}.old-${process.pid}`;
  rmSync(old, { recursive: true, force: true });
  try {
    renameSync(path, old);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  renameSync(finished, path);
  rmSync(old, { recursive: true, force: true });
}

function build(dir, library) {
  const model = readRun(dir);
  const temporary = {
    html: join(dir, `report.html.tmp-${process.pid}`),
    plots: join(dir, `plots.tmp-${process.pid}`),
  };
  try {
    const files = svgFiles(library.echarts, model);
    mkdirSync(temporary.plots);
    for (const [name, text] of files) writeFileSync(join(temporary.plots, name), text);
    writeFileSync(
      temporary.html,
      runPage(model, readFileSync(library.path, 'utf8'), noticeOf(library)),
      { flag: 'wx' },
    );
    replaceDirectory(temporary.plots, join(dir, 'plots'));
    renameSync(temporary.html, join(dir, 'report.html'));
  } finally {
    rmSync(temporary.html, { force: true });
    rmSync(temporary.plots, { recursive: true, force: true });
  }
}

function main(argv) {
  if (argv.length !== 1) {
    console.error('usage: node report.mjs RUN');
    return EXIT.usage;
  }
  const library = loadEcharts();
  if (library === null) {
    console.error(
      "muxbench: no report: ECharts is not installed; 'make setup' (or npm ci in scripts/report) gets it",
    );
    return EXIT.library;
  }
  const dir = resolve(argv[0]);
  try {
    if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory())
      throw new Refusal(`${argv[0]}: not a directory`);
    build(dir, library);
  } catch (error) {
    if (error instanceof Refusal) {
      console.error(`muxbench: ${visible(error.message)}`);
      return EXIT.usage;
    }
    if (error.code === undefined) throw error;
    console.error(`muxbench: report: ${visible(error.message)}`);
    return EXIT.failed;
  }
  console.log(join(dir, 'report.html'));
  return EXIT.ok;
}

process.exitCode = main(process.argv.slice(2));
