// text.test.mjs: `muxbench report` itself: the report as text, and what it says without node.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { large, small } from './fabricate.mjs';
import { SPOILT } from './spoilt.mjs';
import { MUXBENCH, muxbench, readRows, scratch } from './support.mjs';

test('report --text prints every label of every cell with the figures of summary.csv', (t) => {
  const dir = large(join(scratch(t), 'run'));
  const done = muxbench(['report', '--text', dir], { LC_ALL: 'C.UTF-8' });
  assert.equal(done.status, 0, done.err);
  for (const row of readRows(join(dir, 'summary.csv'))) {
    if (row.metric !== 'server_cpu_us_per_req') continue;
    const part = done.out.split(`\n${row.cell_id}\n`)[1].split('\n\n')[0];
    const line = part.split('\n').find((l) => l.includes(` ${row.label} `));
    assert.ok(line.includes(` ${Number(row.median).toFixed(2)} `), `${row.median}: ${line}`);
    const ranks = [...new Set([row.rank_low, row.rank_high])].join('-');
    const start = `${row.best === 'yes' ? '*' : ' '} ${ranks.padStart(5)}  ${row.label} `;
    assert.ok(line.startsWith(start), `${start}: ${line}`);
    const would = row.verdict === 'undecided' ? ` (>= ${(100 * row.detectable).toFixed(1)} %)` : '';
    assert.ok(line.includes(` ${row.verdict}${would}`), `${row.verdict}: ${line}`);
  }
  assert.match(done.out, /█/);
  assert.doesNotMatch(muxbench(['report', '--text', dir], { LC_ALL: 'C' }).out, /█/);
});

// C0 but the newline, DEL, C1, line separators, bidirectional controls; U+FFFD: not UTF-8.
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufffd]/;

test('report --text lets no control character through, and other scripts as they are', (t) => {
  const dir = small(join(scratch(t), 'run'), {
    backends: [
      ['a\u001b[31m', 'poll', 1],
      ['b\u0007', 'select', 1],
    ],
    question: 'x',
  });
  const run = {
    schema_version: 1,
    question: 'q\u001b[2J\u009b2J',
    answer: ['a\u001b]0;t\u0007', 'b\u009b31m\u2028\u202ec', 'größer: 3 µs'],
  };
  writeFileSync(join(dir, 'run.json'), JSON.stringify(run));
  const done = muxbench(['report', '--text', dir]);
  assert.equal(done.status, 0, done.err);
  assert.doesNotMatch(done.out, CONTROLS);
  assert.match(done.out, /^ {2}größer: 3 µs$/m);
});

test('a path with control characters makes one line of a message', (t) => {
  const dir = small(join(scratch(t), 'two\nlines\u001b[31m'));
  const none = join(dir, 'none');
  truncateSync(join(dir, 'measurements.csv'), 0);
  for (const done of [
    muxbench(['report', '--text', none]),
    muxbench(['report', '--text', dir]),
    muxbench(['report', none]),
    muxbench(['report', dir]),
    muxbench(['report', dir], { PATH: '/nonexistent' }),
    muxbench(['doctor', `--json=${none}/x`]),
  ]) {
    assert.notEqual(done.status, 0);
    assert.match(done.err, /^muxbench: .*two\\x0alines\\x1b\[31m.*\n$/);
  }
});

test('the path of the page is raw for a program and escaped on a terminal', (t) => {
  const dir = small(join(scratch(t), 'red\u001b[31m'));
  const done = muxbench(['report', dir]);
  assert.equal(done.out, `${join(dir, 'report.html')}\n`);
  const command = '"$MUXBENCH" report "$RUN"';
  const env = { ...process.env, MUXBENCH, RUN: dir };
  const script = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8', env });
  if (script.error) return t.skip('script(1) is not here');
  assert.match(script.stdout, /red\\x1b\[31m\/report\.html\r?\n$/);
});

for (const [what, spoil] of SPOILT.filter(([name]) => !/histogram/.test(name)))
  test(`report --text refuses or bears: ${what}`, (t) => {
    const dir = small(join(scratch(t), 'run'));
    spoil(dir);
    const done = muxbench(['report', '--text', dir]);
    assert.ok([0, 2].includes(done.status), `${done.status} ${done.err}`);
    assert.equal(done.err.trimEnd().split('\n').length, 1, done.err);
    assert.equal(done.status === 2, done.err !== '');
  });

test('without node one line says how to get it', (t) => {
  const dir = small(join(scratch(t), 'run'));
  const done = muxbench(['report', dir], { PATH: '/nonexistent' });
  assert.equal(done.status, 1);
  assert.match(done.err, /^muxbench: no report: node is not installed; .*make setup.*\n$/);
});
