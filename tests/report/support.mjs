// support.mjs: what the report's tests share: building a report as a user would, and reading back
// what is in it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { parseCsv } from '../../scripts/report/read.mjs';

const REPORT = fileURLToPath(new URL('../../scripts/report/report.mjs', import.meta.url));
export const MUXBENCH =
  process.env.MUXBENCH ?? fileURLToPath(new URL('../../build/muxbench', import.meta.url));

// {status, out, err} of a program that has ended.
function ended(program, args, env) {
  const options = { encoding: 'utf8', timeout: 180_000, env: { ...process.env, ...env } };
  const done = spawnSync(program, args, options);
  return { status: done.status, out: done.stdout, err: done.stderr };
}
// ... of building the report of these run directories, and of the program itself.
export const reportIn = (env, ...args) => ended(process.execPath, [REPORT, ...args], env);
export const report = (...args) => reportIn({}, ...args);
export const muxbench = (args, env = {}) => ended(MUXBENCH, args, env);

// Makes a run directory by a short real run (real.cfg) below `out`, which also builds its report.
// REPORT_RUN names one that is there already. Returns its path.
export function realRun(out, ...more) {
  if (process.env.REPORT_RUN) return process.env.REPORT_RUN;
  const config = fileURLToPath(new URL('real.cfg', import.meta.url));
  const done = spawnSync(MUXBENCH, ['run', config, '--out', out, ...more], {
    encoding: 'utf8',
    timeout: 200_000,
  });
  // 1: a trial failed, as the short ones may on a busy machine; its row says so.
  if (done.status !== 0 && done.status !== 1)
    throw new Error(`muxbench run: ${done.status}\n${done.stderr}`);
  return realpathSync(join(out, 'latest'));
}

// A scratch directory that is gone after the test t.
export function scratch(t) {
  const dir = mkdtempSync(join(tmpdir(), 'muxbench-report-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

// The names of what a report consists of, and of what an interrupted one would leave.
export const drawnFiles = (dir) =>
  readdirSync(dir, { recursive: true })
    .filter((name) => /\.(svg|html)$/.test(name))
    .sort();
export const leftovers = (dir) => readdirSync(dir).filter((name) => /tmp-|old-/.test(name));

export function readRows(path) {
  const rows = [];
  let columns = null;
  parseCsv(readFileSync(path, 'utf8'), path, (fields) => {
    if (columns === null) columns = fields;
    else rows.push(Object.fromEntries(columns.map((c, i) => [c, fields[i]])));
  });
  return rows;
}

export function embeddedModel(html) {
  const text = /<script type="application\/json" id="model">(.*?)<\/script>/s.exec(html)[1];
  return JSON.parse(text);
}
