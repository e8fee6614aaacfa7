// comparison.mjs: two or more runs as one object for the page (compare_app.mjs). The judging is
// that of `muxbench compare`, run once for each later run against the first:
//
//   runs  [{id, run: run.json without its trials}]    the first one is "before"
//   after [{entries: [as compare --json has them], refused: [lines]}]    one for each later run
import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';

import { Refusal, SCHEMA_VERSION, readJson } from './read.mjs';

const METRICS = [
  'host_cpu_us_per_req',
  'server_cpu_us_per_req',
  'client_cpu_us_per_req',
  'completed_per_s',
  'response_p50_us',
  'response_p99_us',
  'response_p999_us',
  'syscalls_per_req',
  'context_switches_per_req',
  'rss_bytes_per_conn',
];
const LIMITS = { ms: 60_000, bytes: 64 << 20, entries: 20_000 };
const EXIT_USAGE = 2;

function compare(muxbench, before, after) {
  const argv = ['compare', '--json', `--metrics=${METRICS.join(',')}`, before, after];
  const done = spawnSync(muxbench, argv, {
    encoding: 'utf8',
    timeout: LIMITS.ms,
    maxBuffer: LIMITS.bytes,
  });
  if (done.error) throw new Refusal(`${muxbench} compare: ${done.error.code}`);
  const said = done.stderr
    .split('\n')
    .map((line) => line.replace(/^muxbench: /, ''))
    .filter((line) => line !== '');
  if (done.status === EXIT_USAGE || done.stdout === '')
    throw new Refusal(said.at(-1) ?? `compare ended with ${done.status ?? done.signal}`);
  const { comparisons } = JSON.parse(done.stdout);
  if (comparisons.length > LIMITS.entries)
    throw new Refusal(`compare: ${comparisons.length} comparisons, more than ${LIMITS.entries}`);
  return { entries: comparisons, refused: said };
}

function describe(dir) {
  const run = readJson(dir, 'run.json');
  if (run === null) throw new Refusal(`${dir}/run.json: missing, so not a run directory`);
  if (run.schema_version !== SCHEMA_VERSION)
    throw new Refusal(`${dir}/run.json: this report reads schema_version ${SCHEMA_VERSION}`);
  delete run.trials;
  return { id: basename(realpathSync(dir)), run };
}

// dirs: two or more; muxbench: path of the program.
export function compareRuns(muxbench, dirs) {
  const runs = dirs.map(describe);
  const after = dirs.slice(1).map((dir) => compare(muxbench, dirs[0], dir));
  return { runs, after };
}
