// built.test.mjs: what a report is: its files, its figures, and that they are the same every time.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { METRIC_KEYS, SUMMARY_FIELDS, VERDICT_KEYS } from '../../scripts/report/words.mjs';
import { THIRTEEN, fabricate, large, small } from './fabricate.mjs';
import {
  drawnFiles,
  embeddedModel,
  leftovers,
  readRows,
  realRun,
  report,
  scratch,
} from './support.mjs';

test('a report is built: one page below 2 MB and the SVG files', (t) => {
  const dir = large(join(scratch(t), 'run'));
  const done = report(dir);
  assert.equal(done.status, 0, done.err);
  assert.equal(done.out, `${join(dir, 'report.html')}\n`);
  assert.ok(readFileSync(join(dir, 'report.html')).length < 2 << 20);
  assert.ok(drawnFiles(dir).length > 20);
  assert.deepEqual(leftovers(dir), []);
});

test('SVG files and page are the same bytes again, wherever the directory lies', (t) => {
  const root = scratch(t);
  const first = large(join(root, 'run'));
  const second = join(root, 'elsewhere', 'run');
  cpSync(first, second, { recursive: true });
  for (const dir of [first, second]) assert.equal(report(dir).status, 0);
  assert.equal(report(first).status, 0); // over its own output
  assert.deepEqual(drawnFiles(first), drawnFiles(second));
  for (const name of drawnFiles(first))
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
    SUMMARY_FIELDS.forEach((field, i) => {
      const shown = model.rows[cell][label].m[row.metric][i] ?? '';
      const given = row[field];
      assert.equal(String(shown), given === '' ? '' : String(Number(given) || given), field);
    });
  }
});

test('a real run ends with its report, and its histograms are read as the program reads them', (t) => {
  const dir = realRun(scratch(t), '--blocks', '1', '--set', 'connections=2,1100');
  const model = embeddedModel(readFileSync(join(dir, 'report.html'), 'utf8'));
  assert.ok(
    drawnFiles(dir).includes('plots/throughput-closed-loop.svg'),
    drawnFiles(dir).join(' '),
  );
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
  for (const row of readRows(join(dir, 'summary.csv'))) {
    assert.ok(METRIC_KEYS.includes(row.metric), row.metric);
    assert.ok(VERDICT_KEYS.includes(row.verdict), row.verdict);
  }
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
