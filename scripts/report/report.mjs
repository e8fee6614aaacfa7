// report.mjs: node report.mjs [--muxbench PROGRAM] RUN [RUN…]: writes RUN/report.html and
// RUN/plots/*.svg from the files of the run directory alone; given two or more runs, comparison.html
// into the last one, judged by PROGRAM compare. Prints the path of the page. Exit 0 done; 1 it failed;
// 2 the directory is refused, in one line; 4 the chart library is not installed. Files are put in
// place by rename, all or none.
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { compareRuns } from './comparison.mjs';
import { readRun } from './model.mjs';
import { comparisonPage, runPage } from './page.mjs';
import { Refusal } from './read.mjs';
import { loadEcharts, svgFiles } from './svg.mjs';
import { visible } from './words.mjs';

const OWN_NOTICE = 'muxbench is under the MIT licence; this page holds no other software.\n';
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

// Compares the first run with each later one.
function buildComparison(muxbench, dirs) {
  const page = join(dirs.at(-1), 'comparison.html');
  const temporary = `${page}.tmp-${process.pid}`;
  try {
    writeFileSync(temporary, comparisonPage(compareRuns(muxbench, dirs), OWN_NOTICE), {
      flag: 'wx',
    });
    renameSync(temporary, page);
  } finally {
    rmSync(temporary, { force: true });
  }
  return page;
}

function make(options, dirs) {
  for (const [i, dir] of dirs.entries())
    if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory())
      throw new Refusal(`${options.runs[i]}: not a directory`);
  if (dirs.length > 1) return buildComparison(options.muxbench, dirs);
  const library = loadEcharts();
  if (library === null) return null;
  build(dirs[0], library);
  return join(dirs[0], 'report.html');
}

function parse(argv) {
  const named = argv[0] === '--muxbench';
  return { muxbench: named ? argv[1] : 'muxbench', runs: named ? argv.slice(2) : argv };
}

// A failed system call says enough; a fault of our own says where.
function reason(error) {
  if (error.code !== undefined) return error.message;
  const place = /([\w-]+\.mjs:\d+)/.exec(error.stack)?.[1] ?? 'no place known';
  return `${error.name}: ${error.message} (${place})`;
}

function main(argv) {
  const options = parse(argv);
  if (options.runs.length === 0) {
    console.error('usage: node report.mjs [--muxbench PROGRAM] RUN [RUN...]');
    return EXIT.usage;
  }
  try {
    const page = make(
      options,
      options.runs.map((run) => resolve(run)),
    );
    if (page === null) {
      console.error(
        "muxbench: no report: ECharts is not installed; 'make setup' (or npm ci in scripts/report) gets it",
      );
      return EXIT.library;
    }
    console.log(process.stdout.isTTY ? visible(page) : page);
  } catch (error) {
    if (error instanceof Refusal) {
      console.error(`muxbench: ${visible(error.message)}`);
      return EXIT.usage;
    }
    console.error(`muxbench: report: ${visible(reason(error))}`);
    return EXIT.failed;
  }
  return EXIT.ok;
}

process.exitCode = main(process.argv.slice(2));
