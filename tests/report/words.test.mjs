// words.test.mjs: the tables of words.mjs against the program and its documentation. What a flag
// voids, which way a metric is better and what a verdict is called is decided in bench/results/; it
// is asked for through `muxbench compare`, which compares ratios to a baseline.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import {
  FLAG_KEYS,
  METRIC_KEYS,
  VERDICT_KEYS,
  flagVoids,
  metric,
  verdict,
} from '../../scripts/report/words.mjs';
import { COLUMNS, csv } from './fabricate.mjs';
import { muxbench, scratch } from './support.mjs';

const ROOT = new URL('../../', import.meta.url);
const BLOCKS = 8;
// Of one label in one launch: within 2 %, never the same for two.
const noise = (label, i) => 1 + ((label.length * 7 + i * 13) % 20) / 1000;

// A run directory of one cell; labels: {name: {factor, flags, blocks}}, every metric 100 × factor.
// The baseline is one more of them, of factor 1.
function runOf(dir, labels, metrics) {
  const all = { base: { factor: 1 }, ...labels };
  const rows = Object.entries(all).flatMap(([label, { factor, flags = '', blocks = BLOCKS }]) =>
    Array.from({ length: blocks }, (_, i) => ({
      ...Object.fromEntries(metrics.map((key) => [key, 100 * factor * noise(label, i)])),
      schema_version: 1,
      cell_id: 'c',
      block: i + 1,
      trial: 1,
      backend: 'poll',
      label,
      status: 'ok',
      flags,
    })),
  );
  mkdirSync(dir);
  const fields = rows.map((row) => COLUMNS.map((column) => row[column]));
  writeFileSync(join(dir, 'measurements.csv'), csv([COLUMNS, ...fields]));
  writeFileSync(join(dir, 'run.json'), '{"schema_version":1}');
  writeFileSync(join(dir, 'effective.json'), '{"baseline":"base"}');
  return dir;
}

// What `muxbench compare` says of two runs: Map of label and metric to verdict.
function verdictsOf(t, before, after, metrics) {
  const root = scratch(t);
  const dirs = [
    runOf(join(root, 'before'), before, metrics),
    runOf(join(root, 'after'), after, metrics),
  ];
  const done = muxbench(['compare', '--json', `--metrics=${metrics.join(',')}`, ...dirs]);
  assert.equal(done.status, 0, done.err);
  return JSON.parse(done.out).comparisons;
}

const judgedMetrics = (t) => {
  const dir = runOf(join(scratch(t), 'run'), { a: { factor: 1 } }, METRIC_KEYS.slice(0, 1));
  const judged = (key) =>
    muxbench(['compare', '--json', `--metrics=${key}`, dir, dir]).status === 0;
  const found = METRIC_KEYS.filter(judged);
  assert.ok(found.length > 12, `${found}`);
  return found;
};

test('a flag voids in the report what it voids in the program', (t) => {
  const metrics = judgedMetrics(t);
  const labels = Object.fromEntries(
    ['', ...FLAG_KEYS].map((flag) => [flag || 'none', { factor: 1, flags: flag }]),
  );
  const wrong = verdictsOf(t, labels, labels, metrics)
    .filter((e) => (e.verdict === 'void') !== flagVoids(e.label, e.metric))
    .map((e) => `${e.label} ${e.metric} ${e.verdict}`);
  assert.deepEqual(wrong, []);
});

test('verdicts and directions are those of the program', (t) => {
  const metrics = judgedMetrics(t);
  const labels = {
    same: { factor: 1 },
    twice: { factor: 1 },
    half: { factor: 1 },
    few: { factor: 1, blocks: 2 },
  };
  const after = { ...labels, twice: { factor: 2 }, half: { factor: 0.5 } };
  for (const e of verdictsOf(t, labels, after, metrics)) {
    const where = `${e.label} ${e.metric} ${e.verdict}`;
    assert.ok(VERDICT_KEYS.includes(e.verdict), where);
    const { proven, style } = verdict(e.verdict);
    const higher = metric(e.metric).better === 'higher';
    const expected = { same: 'level', few: 'level', twice: higher, half: !higher }[e.label];
    assert.equal(proven, typeof expected === 'boolean', where);
    assert.equal(style, proven ? (expected ? 'better' : 'worse') : expected, where);
  }
});

// The rows of the table of flags in results/README.md as [flag, what it voids].
function documentedFlags() {
  const page = readFileSync(new URL('results/README.md', ROOT), 'utf8');
  const table = page.split('| flag | set when | voids |')[1].split('\n\n')[0];
  return [...table.matchAll(/^\| `(\w+)` \|.*\| ([^|]*) \|$/gm)].map((m) => m.slice(1));
}

test('every flag is in the report, in results/README.md and in the program, with what it voids', () => {
  const documented = documentedFlags();
  const names = documented.map(([flag]) => flag);
  assert.deepEqual([...FLAG_KEYS].sort(), [...names].sort());
  for (const [flag, voids] of documented) {
    assert.equal(flagVoids(flag, 'response_p99_us'), /everything|latency/.test(voids), flag);
    assert.equal(flagVoids(flag, 'server_cpu_us_per_req'), /everything/.test(voids), flag);
  }
  const read = (path) => readFileSync(new URL(path, ROOT), 'utf8');
  const sources = readdirSync(new URL('bench/run/', ROOT))
    .map((name) => `bench/run/${name}`)
    .concat(readdirSync(new URL('bench/results/', ROOT)).map((name) => `bench/results/${name}`))
    .filter((path) => path.endsWith('.c'));
  const set = sources.flatMap((path) => [...read(path).matchAll(/row_flag\(\w+, "(\w+)"\)/g)]);
  const load = /load_flag_names\[\] = \{([^}]*)\}/.exec(read('loadgen/load.c'))[1];
  const used = [...set, ...load.matchAll(/"(\w+)"/g)].map((m) => m[1]);
  assert.ok(used.length >= names.length / 2, `${used}`);
  assert.deepEqual(
    used.filter((flag) => !names.includes(flag)),
    [],
  );
});
