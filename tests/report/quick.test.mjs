// quick.test.mjs: the report without a browser: what it reads, refuses and writes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { spread } from '../../scripts/report/endlabels.mjs';
import { Refusal, parseCsv } from '../../scripts/report/read.mjs';
import { scaleFor, sweepScale } from '../../scripts/report/scale.mjs';
import { csvText, show, showRange, tick } from '../../scripts/report/words.mjs';
import { THIRTEEN, fabricate, large } from './fabricate.mjs';
import { MUXBENCH, embeddedModel, readRows, realRun, report, scratch } from './support.mjs';

const small = (dir, extra = {}) =>
  fabricate(dir, {
    backends: [
      ['a', 'poll', 1.2],
      ['b', 'epoll-lt', 1],
    ],
    cells: [{ connections: 1 }, { connections: 100 }],
    ...extra,
  });
const files = (dir) =>
  readdirSync(dir, { recursive: true })
    .filter((name) => /\.(svg|html)$/.test(name))
    .sort();
const leftovers = (dir) => readdirSync(dir).filter((name) => /tmp-|old-/.test(name));

test('a report is built: one page below 2 MB and the SVG files', (t) => {
  const dir = large(join(scratch(t), 'run'));
  const done = report(dir);
  assert.equal(done.status, 0, done.err);
  assert.equal(done.out, `${join(dir, 'report.html')}\n`);
  assert.ok(readFileSync(join(dir, 'report.html')).length < 2 << 20);
  assert.ok(files(dir).length > 20);
  assert.deepEqual(leftovers(dir), []);
});

test('SVG files and page are the same bytes again, wherever the directory lies', (t) => {
  const root = scratch(t);
  const first = large(join(root, 'run'));
  const second = join(root, 'elsewhere', 'run');
  cpSync(first, second, { recursive: true });
  for (const dir of [first, second]) assert.equal(report(dir).status, 0);
  assert.equal(report(first).status, 0); // over its own output
  assert.deepEqual(files(first), files(second));
  for (const name of files(first))
    assert.ok(readFileSync(join(first, name)).equals(readFileSync(join(second, name))), name);
});

test('every figure in the page is the one in summary.csv', (t) => {
  const dir = large(join(scratch(t), 'run'));
  assert.equal(report(dir).status, 0);
  const model = embeddedModel(readFileSync(join(dir, 'report.html'), 'utf8'));
  const rows = readRows(join(dir, 'summary.csv'));
  assert.ok(rows.length > 1000);
  for (const row of rows) {
    const cell = model.cells.findIndex((c) => c.id === row.cell_id);
    const label = model.labels.findIndex((l) => l.name === row.label);
    const [n, median, low, high, ratio, , , , verdict] = model.rows[cell][label].m[row.metric];
    const given = [row.n, row.median, row.low, row.high, row.ratio].map((v) =>
      v === '' ? null : Number(v),
    );
    const shown = [n, median, low, high, ratio].map((v) => v ?? null);
    assert.deepEqual([...shown, verdict ?? ''], [...given, row.verdict]);
  }
});

test('a real run ends with its report, and its histograms are read as the program reads them', (t) => {
  const dir = realRun(scratch(t), '--blocks', '1', '--set', 'connections=2,1100');
  const model = embeddedModel(readFileSync(join(dir, 'report.html'), 'utf8'));
  assert.ok(files(dir).includes('plots/throughput-closed-loop.svg'), files(dir).join(' '));
  let compared = 0;
  for (const row of readRows(join(dir, 'percentiles.csv'))) {
    const cell = model.cells.findIndex((c) => c.id === row.cell_id);
    const label = model.labels.findIndex((l) => l.name === row.label);
    const counts = model.heat[cell][label].buckets.map(([, , count]) => count);
    const total = counts.reduce((sum, count) => sum + count, 0);
    assert.equal(total, Number(row.count), `${row.cell_id} ${row.label}`);
    compared++;
  }
  assert.ok(compared > 20, `${compared}`);
});

test('a cell that was skipped is named and never zero', (t) => {
  const dir = large(join(scratch(t), 'run'));
  assert.equal(report(dir).status, 0);
  const svg = readFileSync(join(dir, 'plots', 'cpu-split-closed-loop.svg'), 'utf8');
  assert.match(svg, />select</);
  assert.match(svg, />skipped</);
});

test('the page allows its own two scripts by hash and no connection', (t) => {
  const dir = small(join(scratch(t), 'run'));
  assert.equal(report(dir).status, 0);
  const html = readFileSync(join(dir, 'report.html'), 'utf8');
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)[1];
  assert.match(policy, /default-src 'none'/);
  const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map((m) => m[1]);
  assert.equal(scripts.length, 2);
  for (const text of scripts)
    assert.ok(policy.includes(`'sha256-${createHash('sha256').update(text).digest('base64')}'`));
  assert.doesNotMatch(html.replace(/<(script|pre)\b.*?<\/\1>/gs, ''), /(src|href)=/);
  assert.match(html, /Apache License/);
});

const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '</script><script>alert(1)</script>',
  '"><b>',
  'a\'b"c&amp;',
  'two\nlines',
  '\u2028sep',
  '{a|rich}',
  '=cmd()',
  '__proto__',
  'constructor',
  '\u001b[31mred',
  '\u202egnp',
  'x'.repeat(200),
];
test('names with markup, quotes, line breaks and rich-text marks stay text', (t) => {
  const dir = fabricate(join(scratch(t), 'run'), {
    backends: HOSTILE.map((name, i) => [name, name, 1 + i / 10]),
    cells: [{ connections: 1 }, { connections: 10 }],
    question: '</script><script>alert(2)</script> <b>?',
  });
  const done = report(dir);
  assert.equal(done.status, 0, done.err);
  const html = readFileSync(join(dir, 'report.html'), 'utf8');
  assert.equal(html.match(/<script/g).length, 3);
  assert.equal(html.match(/<\/script/g).length, 3);
  assert.deepEqual(
    embeddedModel(html).labels.map((l) => l.name),
    [...HOSTILE].sort(),
  );
  for (const name of files(join(dir, 'plots'))) {
    const svg = readFileSync(join(dir, 'plots', name), 'utf8');
    assert.doesNotMatch(svg, /<(img|script|b)\b/, name);
    assert.doesNotMatch(svg, /[\u0000-\u0008\u000b-\u001f]/, name);
  }
});

test('a thousand cells and a single trial both render', (t) => {
  const root = scratch(t);
  const cells = Array.from({ length: 1000 }, (_, i) => ({
    connections: 1 + (i % 100),
    payload_bytes: 64 * (1 + Math.floor(i / 100)),
  }));
  const thousand = small(join(root, 'thousand'), { cells, blocks: 1 });
  assert.equal(report(thousand).status, 0);
  const one = fabricate(join(root, 'one'), {
    backends: [['only', 'poll', 1]],
    cells: [{}],
    blocks: 1,
  });
  assert.equal(report(one).status, 0);
});

// [what is wrong, how it comes about, what the line has to say]
const REFUSED = [
  [
    'no measurements.csv',
    (dir) => writeFileSync(join(dir, 'measurements.csv.tmp'), ''),
    /measurements\.csv: missing/,
    ['measurements.csv'],
  ],
  [
    'an empty file',
    (dir) => truncateSync(join(dir, 'measurements.csv'), 0),
    /measurements\.csv: empty/,
  ],
  [
    'only the header',
    (dir) => edit(dir, 'measurements.csv', (s) => s.split('\r\n')[0]),
    /no trial/,
  ],
  [
    'a file cut in a row',
    (dir) => edit(dir, 'measurements.csv', (s) => s.slice(0, s.length - 200)),
    /measurements\.csv:\d+: .*fields/,
  ],
  [
    'an open quote',
    (dir) => edit(dir, 'summary.csv', (s) => `${s}"c0,a`),
    /summary\.csv:\d+: a quoted field is not closed/,
  ],
  [
    'NaN',
    (dir) => edit(dir, 'summary.csv', (s) => s.replace(/,8,[\d.]+,/, ',8,NaN,')),
    /summary\.csv:\d+: median is "NaN", not a number/,
  ],
  [
    'infinity',
    (dir) => edit(dir, 'summary.csv', (s) => s.replace(/,8,[\d.]+,/, ',8,1e999,')),
    /not a number/,
  ],
  [
    'a missing column',
    (dir) => edit(dir, 'summary.csv', (s) => s.replace('verdict', 'opinion')),
    /summary\.csv:1: no column verdict/,
  ],
  [
    'a label that was never measured',
    (dir) => edit(dir, 'summary.csv', (s) => s.replace('c0,a,', 'c0,ghost,')),
    /ghost.* is not in measurements\.csv/,
  ],
  [
    'another schema',
    (dir) => edit(dir, 'measurements.csv', (s) => s.replaceAll('\n1,', '\n2,')),
    /schema_version 2/,
  ],
  [
    'another schema of run.json',
    (dir) => writeFileSync(join(dir, 'run.json'), '{"schema_version":9}'),
    /run\.json: schema_version 9/,
  ],
  [
    'run.json that is not JSON',
    (dir) => writeFileSync(join(dir, 'run.json'), '{"a":'),
    /run\.json: not JSON/,
  ],
  [
    'a bad histogram log',
    (dir) => hlog(dir, 'Tag=response,0.000,1.000,1.0,HISTFAAAAAAAA'),
    /hlog\/1\.hlog:1: /,
  ],
  [
    'binary rubbish',
    (dir) => writeFileSync(join(dir, 'measurements.csv'), Buffer.alloc(5000, 0x9c)),
    /measurements\.csv:1: /,
  ],
];
function edit(dir, name, change) {
  const path = join(dir, name);
  const before = readFileSync(path, 'utf8');
  const after = change(before);
  assert.notEqual(after, before);
  writeFileSync(path, after);
}
function hlog(dir, text) {
  mkdirSync(join(dir, 'hlog'));
  writeFileSync(join(dir, 'hlog', '1.hlog'), text);
}
for (const [what, spoil, line, without = []] of REFUSED)
  test(`refused in one line: ${what}`, (t) => {
    const root = scratch(t);
    const whole = small(join(root, 'whole'));
    const dir = join(root, 'run');
    cpSync(whole, dir, {
      recursive: true,
      filter: (path) => !without.some((name) => path.endsWith(name)),
    });
    spoil(dir);
    const done = report(dir);
    assert.equal(done.status, 2, done.err);
    assert.equal(done.err.trimEnd().split('\n').length, 1, done.err);
    assert.match(done.err, line);
    assert.deepEqual(files(dir), []);
    assert.deepEqual(leftovers(dir), []);
  });

test('plots that is a link elsewhere is replaced, not followed', (t) => {
  const root = scratch(t);
  const dir = small(join(root, 'run'));
  mkdirSync(join(root, 'precious'));
  writeFileSync(join(root, 'precious', 'keep'), 'x');
  symlinkSync(join(root, 'precious'), join(dir, 'plots'));
  assert.equal(report(dir).status, 0);
  assert.deepEqual(readdirSync(join(root, 'precious')), ['keep']);
});

test('no report of nothing: usage and missing directories', (t) => {
  assert.equal(report().status, 2);
  const done = report(join(scratch(t), 'none'));
  assert.equal(done.status, 2);
  assert.match(done.err, /not a directory\n$/);
});

test('ticks stand on round numbers and hold every value', () => {
  for (const [values, unit] of [
    [[3, 9], ''],
    [[17, 23000], 'µs'],
    [[0.2, 0.9], ''],
    [[900, 9000], 'B'],
    [[1e-3, 5e6], ''],
    [[0, 0], ''],
    [[], ''],
    [[-300, 5000], 'B'],
    [[-7], ''],
  ]) {
    const s = scaleFor(values, unit);
    assert.ok(s.ticks.length >= 2 && s.ticks.length < 13, JSON.stringify([values, s]));
    for (const v of values) assert.ok(v >= s.min && v <= s.max, JSON.stringify([values, s]));
  }
  assert.deepEqual(sweepScale([10000, 1, 100]).ticks, [1, 100, 10000]);
  assert.equal(sweepScale([0, 100, 10000]).type, 'value');
});

test('names at line ends keep their distance, order and place', () => {
  for (let seed = 1; seed < 200; seed++) {
    const wanted = Array.from(
      { length: 1 + (seed % 14) },
      (_, i) => (seed * (i + 3) * 7919) % 211,
    ).sort((a, b) => a - b);
    const at = spread(wanted, 13, 0, 240);
    for (let i = 1; i < at.length; i++) assert.ok(at[i] - at[i - 1] > 12.999, `${wanted}: ${at}`);
    assert.ok(at[0] >= -1e-9 && at.at(-1) <= 240 + 1e-9, `${wanted}: ${at}`);
  }
  assert.deepEqual(spread([10, 100], 13, 0, 200), [10, 100]);
});

test('numbers read as people write them', () => {
  assert.equal(show('µs', 1234), '1.23 ms');
  assert.equal(show('µs', 0.05), '50.0 ns');
  assert.equal(show('requests/s', 84120.4), '84,120');
  assert.equal(show('B', 1536), '1.50 KiB');
  assert.equal(show('', null), '–');
  assert.equal(tick('', 10000), '10k');
  assert.equal(tick('µs', 2500), '2.5 ms');
  assert.equal(showRange('µs', 4.5, 4.2, 4.9), '[4.20, 4.90]');
  assert.equal(showRange('µs', 999, 998, 1010), '[998 µs, 1.01 ms]');
});

test('CSV: quotes, line breaks and CRLF are read; formulas are defused in what is copied', () => {
  const rows = [];
  parseCsv('a,"b ""q"", c","d\ne"\r\n1,,\n', 'x.csv', (fields) => rows.push(fields));
  assert.deepEqual(rows, [
    ['a', 'b "q", c', 'd\ne'],
    ['1', '', ''],
  ]);
  assert.throws(() => parseCsv('a"b\n', 'x.csv', () => {}), Refusal);
  assert.equal(csvText([['=1+1', 'a,b', -3, null]]), '\'=1+1,"a,b",-3,\r\n');
});

test('lock files pin by digest and name no host', () => {
  for (const name of ['../../scripts/report/package-lock.json', 'package-lock.json']) {
    const text = readFileSync(new URL(name, import.meta.url), 'utf8');
    assert.doesNotMatch(text, /resolved|:\/\//);
    assert.match(text, /sha512-/);
  }
});

test('backends keep colour, dash and symbol from run to run', (t) => {
  const root = scratch(t);
  const few = fabricate(join(root, 'few'), {
    backends: THIRTEEN.slice(3, 5),
    cells: [{ connections: 1 }, { connections: 10 }],
  });
  const many = fabricate(join(root, 'many'), {
    backends: THIRTEEN,
    cells: [{ connections: 1 }, { connections: 10 }],
  });
  for (const dir of [few, many]) assert.equal(report(dir).status, 0);
  for (const dir of [few, many]) {
    const svg = readFileSync(join(dir, 'plots', 'cpu.svg'), 'utf8');
    assert.match(svg, /<text[^>]*fill="#00758f"[^>]*>epoll-et</);
  }
});

// ---- The program's own part --------------------------------------------------------------------

const muxbench = (args, env = {}) => {
  const options = { encoding: 'utf8', timeout: 180_000, env: { ...process.env, ...env } };
  const done = spawnSync(MUXBENCH, args, options);
  return { status: done.status, out: done.stdout, err: done.stderr };
};

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
    assert.ok(line.trimStart().startsWith(`${ranks} `), `${ranks}: ${line}`);
  }
  assert.match(done.out, /█/);
  assert.doesNotMatch(muxbench(['report', '--text', dir], { LC_ALL: 'C' }).out, /█/);
});

test('report --text lets no control character through', (t) => {
  const dir = small(join(scratch(t), 'run'), {
    backends: [
      ['a\u001b[31m', 'poll', 1],
      ['b\u0007', 'select', 1],
    ],
    question: 'x',
  });
  const run = { schema_version: 1, question: 'q\u001b[2J', answer: ['a\u001b]0;t\u0007'] };
  writeFileSync(join(dir, 'run.json'), JSON.stringify(run));
  const done = muxbench(['report', '--text', dir]);
  assert.equal(done.status, 0, done.err);
  assert.doesNotMatch(done.out, /[\u0000-\u0009\u000b-\u001f\u007f]/);
});

for (const [what, spoil] of REFUSED.filter(([name]) => !/histogram/.test(name)))
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
