// hostile.test.mjs: run directories that nobody should trust: text that would be markup, and files
// that are refused.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { fabricate, small } from './fabricate.mjs';
import { SPOILT, histogram, hlog } from './spoilt.mjs';
import { drawnFiles, embeddedModel, leftovers, report, reportIn, scratch } from './support.mjs';

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
  for (const name of drawnFiles(join(dir, 'plots'))) {
    const svg = readFileSync(join(dir, 'plots', name), 'utf8');
    assert.doesNotMatch(svg, /<(img|script|b)\b/, name);
    assert.doesNotMatch(svg, /[\u0000-\u0008\u000b-\u001f]/, name);
  }
});

for (const [what, spoil, line, without = []] of SPOILT)
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
    assert.deepEqual(drawnFiles(dir), []);
    assert.deepEqual(leftovers(dir), []);
  });

test('histograms that inflate a thousandfold are read as far as a budget goes, and the page says so', (t) => {
  const dir = small(join(scratch(t), 'run'), { blocks: 100 });
  const full = histogram(Buffer.alloc(27_000, 2)); // a sample in every counter of the range
  const line = (i) => `Tag=response,${i}.000,1.000,1.0,${full}\n`;
  const text = Array.from({ length: 2000 }, (_, i) => line(i)).join('');
  for (let trial = 1; trial <= 200; trial++) hlog(dir, text, trial);
  const done = report(dir);
  assert.equal(done.status, 0, done.err);
  const model = embeddedModel(readFileSync(join(dir, 'report.html'), 'utf8'));
  assert.ok(model.unreadLogs > 100 && model.unreadLogs < 200, `${model.unreadLogs}`);
});

test('a fault of the report itself is one line and exit 1', (t) => {
  const root = scratch(t);
  const dir = small(join(root, 'run'));
  const fault = join(root, 'fault.cjs');
  writeFileSync(fault, "JSON.stringify = () => { throw new RangeError('too deep\\nfor me'); };");
  const done = reportIn({ NODE_OPTIONS: `--require ${fault}` }, dir);
  assert.equal(done.status, 1);
  assert.match(done.err, /^muxbench: report: RangeError: too deep.*for me \(\w+\.mjs:\d+\)\n$/);
  assert.deepEqual(drawnFiles(dir), []);
  assert.deepEqual(leftovers(dir), []);
});
