// browser.test.mjs: the page in Debian's chromium, opened from disk with the network off.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { fabricate, large } from './fabricate.mjs';
import { built, open, startBrowser, stopBrowser } from './pages.mjs';
import { MUXBENCH, readRows, realRun, report, scratch } from './support.mjs';
import './verdicts.test.mjs';

let out; // holds both; no test writes there
let run; // of a short real run
let dense; // fabricated: the backends and cells of c10k
before(async () => {
  await startBrowser();
  out = mkdtempSync(join(tmpdir(), 'muxbench-report-'));
  run = realRun(join(out, 'real'));
  dense = large(join(out, 'dense'));
  assert.equal(report(run).status, 0);
  assert.equal(report(dense).status, 0);
});
after(async () => {
  await stopBrowser();
  rmSync(out, { recursive: true, force: true });
});

// How much ink each chart has: paths and texts with something in them.
const ink = (page) =>
  page.$$eval('figure', (figures) =>
    figures.map((f) => [
      f.dataset.figure,
      f.querySelectorAll('.chart svg path[d]').length +
        f.querySelectorAll('.chart svg text').length,
    ]),
  );

// CPU time of the main thread, so that a busy host does not matter.
async function cpuSecondsOfLoading(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  await page.reload();
  await page.waitForSelector('html[data-ready]', { timeout: 15_000 });
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'TaskDuration').value;
}

test('opens without complaint in two seconds of CPU time and draws every chart', async (t) => {
  for (const [dir, least] of [
    [run, 7],
    [dense, 10],
  ]) {
    const page = await open(t, dir);
    const seconds = await cpuSecondsOfLoading(page);
    assert.ok(seconds > 0.01 && seconds < 2, `${seconds} s`);
    const charts = await ink(page);
    assert.ok(charts.length >= least, JSON.stringify(charts));
    for (const [name, marks] of charts) assert.ok(marks > 10, `${name}: ${marks} marks`);
  }
});

test('question, answer and ranking stand on the first screen', async (t) => {
  const page = await open(t, run);
  assert.equal(await page.locator('h1').textContent(), 'Does the report show what was measured?');
  for (const id of ['#question', '#answers li', '#ranking td.rank'])
    assert.ok((await page.locator(id).first().boundingBox()).y < 760, id);
  const { answer } = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
  const said = await page.$$eval('#answers li', (items) => items.map((item) => item.textContent));
  assert.ok(said.length > 0);
  assert.deepEqual(said, answer.slice(0, said.length));
});

function median(fields) {
  const values = fields.filter((v) => v !== '').map(Number);
  values.sort((a, b) => a - b);
  const half = values.length >> 1;
  return values.length % 2 === 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

test('numbers in the page are those of summary.csv, in every cell', async (t) => {
  const page = await open(t, run);
  const rows = readRows(join(run, 'summary.csv'));
  const trials = readRows(join(run, 'measurements.csv'));
  const cells = new Set();
  let compared = 0;
  for (const loop of [/^closed loop/, /^open loop/])
    for (const connections of ['2', '1,100']) {
      await page.getByRole('button', { name: loop }).click();
      await page.getByRole('button', { name: connections, exact: true }).first().click();
      const cell = await page.locator('#ranking table').getAttribute('data-cell');
      const shown = await page.$$eval('#ranking [data-metric]', (tds) =>
        tds.map((td) => [td.closest('tr').dataset.label, td.dataset.metric, td.dataset.value]),
      );
      for (const [label, metric, value] of shown) {
        const own = (r) => r.cell_id === cell && r.label === label;
        const row = rows.find((r) => own(r) && r.metric === metric);
        // never_served has no verdicts: the page shows the median of the trials.
        const wanted = row?.median ?? median(trials.filter(own).map((r) => r[metric]));
        assert.equal(Number(value), Number(wanted), `${cell} ${label} ${metric}`);
        compared++;
      }
      cells.add(cell);
    }
  assert.equal(cells.size, 4);
  assert.ok(compared > 40, `${compared}`);
});

test('what is printed is the median and interval, rounded', async (t) => {
  const page = await open(t, dense);
  const text = await page.locator('#ranking tr[data-label=epoll-et] td.figure').textContent();
  const cpu = readRows(join(dense, 'summary.csv')).find(
    (r) => r.cell_id === 'c4' && r.label === 'epoll-et' && r.metric === 'server_cpu_us_per_req',
  );
  const [median, low, high] = [cpu.median, cpu.low, cpu.high].map((v) => Number(v).toFixed(2));
  assert.equal(text, `${median} µs [${low}, ${high}]`);
});

test('a cell that select cannot hold says so and is no zero', async (t) => {
  const page = await open(t, run);
  const row = page.locator('#ranking tr[data-label=select]');
  assert.match(await row.textContent(), /descriptors below 1024/);
  assert.equal(await row.locator('[data-value]').count(), 0);
  const texts = await page.$$eval('figure[data-figure=cpu] .note', (notes) => notes[0].textContent);
  assert.match(texts, /select: none at 1,100 connections \(.*1024/);
});

test('a backend is isolated by chip, by line end and by keyboard, and comes back', async (t) => {
  const page = await open(t, dense);
  const coloured = () =>
    page.$$eval('figure[data-figure=cpu] svg text', (texts) =>
      texts.map((x) => x.textContent).filter((x) => /^(epoll|libev|poll|spin)/.test(x)),
    );
  const all = await coloured();
  assert.ok(all.length > 5);
  const chip = page.locator('.chip', { hasText: 'epoll-et' });
  await chip.click();
  assert.deepEqual(await coloured(), ['epoll-et']);
  assert.equal(
    await page.locator('.chip', { hasText: 'epoll-et' }).getAttribute('aria-pressed'),
    'true',
  );
  await page.locator('.chip', { hasText: 'epoll-et' }).focus();
  await page.keyboard.press('Enter');
  assert.deepEqual(await coloured(), all);
  await page.locator('figure[data-figure=cpu] svg text', { hasText: /^spin$/ }).click();
  assert.deepEqual(await coloured(), ['spin']);
});

test('zoom in and back, by button and by ctrl and wheel', async (t) => {
  const page = await open(t, dense);
  const figure = page.locator('figure[data-figure=throughput]');
  const path = () => figure.locator('svg path[stroke-width="1.8"]').first().getAttribute('d');
  const whole = await path();
  await figure.getByRole('button', { name: 'Zoom in' }).click();
  const near = await path();
  assert.notEqual(near, whole);
  await figure.getByRole('button', { name: 'Reset zoom' }).click();
  assert.equal(await path(), whole);
  const box = await figure.locator('.chart').boundingBox();
  await figure.scrollIntoViewIfNeeded();
  const now = await figure.locator('.chart').boundingBox();
  await page.mouse.move(now.x + box.width / 3, now.y + box.height / 2);
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -300);
  await page.keyboard.up('Control');
  await page.waitForFunction(
    (before) =>
      document
        .querySelector('figure[data-figure=throughput] svg path[stroke-width="1.8"]')
        .getAttribute('d') !== before,
    whole,
  );
});

test('loop, point and metric can be switched', async (t) => {
  const page = await open(t, run);
  const title = () => page.locator('#ranking-title').textContent();
  assert.equal(await title(), 'Ranking at 1,100 connections, closed loop');
  await page.getByRole('button', { name: /^open loop/ }).click();
  assert.match(await title(), /^Ranking at 1,100 connections, open loop, 50,000\/s/);
  await page.getByRole('button', { name: '2', exact: true }).first().click();
  assert.match(await title(), /^Ranking at 2 connections, open loop/);
  await page.locator('#metric').selectOption('kernel_bytes_per_conn');
  assert.equal(await page.locator('figure[data-figure=metric-kernel_bytes_per_conn]').count(), 1);
  assert.ok((await ink(page)).every(([, marks]) => marks > 8));
});

test('the table sorts, copies as CSV, and the chart downloads as SVG', async (t) => {
  const page = await open(t, dense, { permissions: ['clipboard-read', 'clipboard-write'] });
  const names = () => page.$$eval('#ranking tbody tr', (trs) => trs.map((tr) => tr.dataset.label));
  await page.locator('#ranking th', { hasText: 'backend' }).getByRole('button').click();
  const sorted = await names();
  assert.deepEqual(sorted, [...sorted].sort());
  await page.locator('#ranking th', { hasText: 'backend' }).getByRole('button').click();
  assert.deepEqual(await names(), sorted.reverse());
  await page
    .locator('section', { has: page.locator('#ranking') })
    .getByRole('button', { name: 'Copy as CSV' })
    .click();
  const text = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(text, /^rank,best,label,server_cpu_us_per_req,low,high/);
  assert.equal(text.trim().split('\r\n').length, sorted.length + 1);
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.locator('figure[data-figure=cpu]').getByRole('button', { name: 'Download SVG' }).click(),
  ]);
  const svg = readFileSync(await file.path(), 'utf8');
  assert.match(svg, /^<svg xmlns/);
  const wrong = await page.evaluate(
    (s) =>
      new DOMParser().parseFromString(s, 'image/svg+xml').querySelector('parsererror')
        ?.textContent ?? null,
    svg,
  );
  assert.equal(wrong, null);
});

test('hovering shows values with units', async (t) => {
  const page = await open(t, dense);
  const chart = page.locator('figure[data-figure=cpu] .chart');
  await chart.scrollIntoViewIfNeeded();
  const box = await chart.boundingBox();
  await page.mouse.move(box.x + 70, box.y + box.height / 2, { steps: 3 });
  await page.locator('figure[data-figure=cpu] .tip').waitFor({ timeout: 5000 });
  assert.match(
    await page.locator('figure[data-figure=cpu] .tip').textContent(),
    /^1 connection.*µs \[/,
  );
});

test('every chart has a text alternative, and its figures as a table', async (t) => {
  const page = await open(t, dense);
  for (const label of await page.$$eval('.chart', (charts) =>
    charts.map((c) => c.getAttribute('aria-label')),
  ))
    assert.ok(label?.length > 30, label);
  const figure = page.locator('figure[data-figure=throughput]');
  await figure.locator('summary').click();
  await figure.locator('tbody tr').first().waitFor();
  assert.ok((await figure.locator('tbody tr').count()) > 50);
});

test('phone width: nothing wider than the screen', async (t) => {
  const page = await open(t, dense, { viewport: { width: 390, height: 800 } });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  const real = await open(t, run, { viewport: { width: 390, height: 800 } });
  assert.equal(await real.evaluate(() => document.documentElement.scrollWidth), 390);
  const wide = await page.$$eval(
    '.chart svg',
    (svgs) => svgs.filter((s) => s.getBoundingClientRect().right > 391).length,
  );
  assert.equal(wide, 0);
});

test('dark mode and paper', async (t) => {
  const page = await open(t, dense, { colorScheme: 'dark' });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(await ground(), 'rgb(21, 24, 27)');
  const text = () => page.$eval('figure[data-figure=cpu] svg text', (x) => x.getAttribute('fill'));
  assert.equal(await text(), '#9aa2aa');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.waitForFunction(
    () =>
      document.querySelector('figure[data-figure=cpu] svg text').getAttribute('fill') === '#646c74',
  );
  assert.ok((await page.pdf({ format: 'A4' })).length > 20_000);
});

test('hostile names run nothing and the page works', async (t) => {
  const names = [
    '<img src=x onerror=alert(1)>',
    '</script><script>alert(1)</script>',
    '"><svg onload=alert(1)>',
    'two\nlines',
    '{a|b}',
    '__proto__',
    'x'.repeat(200),
  ];
  const dir = built(t, (d) =>
    fabricate(d, {
      backends: names.map((name, i) => [name, name, 1 + i / 10]),
      question: '<script>alert(1)</script>?',
      cells: [{ connections: 1 }, { connections: 10 }],
    }),
  );
  const page = await open(t, dir);
  assert.equal(await page.locator('#question').textContent(), '<script>alert(1)</script>?');
  const forest = page.locator('figure[data-figure=forest-host-cpu] svg text');
  assert.equal(await forest.filter({ hasText: '{a|b}' }).count(), 1);
  await page.locator('.chip').nth(1).click();
  const chart = page.locator('figure .chart').first();
  await chart.scrollIntoViewIfNeeded();
  const box = await chart.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 3 });
  await page.locator('figure .tip').first().waitFor();
  assert.equal(await page.locator('img, main script').count(), 0);
});

test('a thousand cells', async (t) => {
  const cells = Array.from({ length: 1000 }, (_, i) => ({
    connections: 1 + (i % 100),
    payload_bytes: 64 * (1 + Math.floor(i / 100)),
  }));
  const page = await open(
    t,
    built(t, (d) =>
      fabricate(d, {
        backends: [
          ['a', 'poll', 1],
          ['b', 'select', 1.2],
        ],
        cells,
        blocks: 1,
      }),
    ),
  );
  assert.ok((await ink(page)).every(([, marks]) => marks > 10));
});

test('the SVG files are well-formed and have ink', async (t) => {
  const page = await open(t, run);
  for (const name of readdirSync(join(run, 'plots'))) {
    const svg = readFileSync(join(run, 'plots', name), 'utf8');
    const [wrong, marks] = await page.evaluate((s) => {
      const doc = new DOMParser().parseFromString(s, 'image/svg+xml');
      return [
        doc.querySelector('parsererror')?.textContent ?? null,
        doc.querySelectorAll('path[d], text').length,
      ];
    }, svg);
    assert.equal(wrong, null, name);
    assert.ok(marks > 8, name);
  }
  assert.ok(existsSync(join(run, 'plots', 'throughput-closed-loop.svg')));
});

test('two runs give a comparison with the verdicts of muxbench compare', async (t) => {
  const after = join(scratch(t), 'after');
  cpSync(run, after, { recursive: true });
  const done = report('--muxbench', MUXBENCH, run, after);
  assert.equal(done.status, 0, done.err);
  assert.equal(done.out.trim(), join(after, 'comparison.html'));
  const page = await open(t, after, {}, 'comparison.html');
  const said = spawnSync(MUXBENCH, ['compare', '--json', run, after], { encoding: 'utf8' });
  const own = JSON.parse(said.stdout).comparisons;
  const cpu = own.filter((e) => e.metric === 'host_cpu_us_per_req' && e.ratio !== null);
  assert.ok(cpu.length > 4, `${cpu.length}`);
  const shown = await page.$$eval('#comparison tr[data-label]', (rows) =>
    rows.map((r) => [
      r.dataset.cell,
      r.dataset.label,
      r.querySelectorAll('[data-value]')[1]?.dataset.value,
      r.querySelector('.verdict')?.textContent,
    ]),
  );
  for (const entry of cpu) {
    const row = shown.find(([cell, label]) => cell === entry.cell_id && label === entry.label);
    assert.equal(Number(row[2]), entry.ratio);
    assert.equal(row[3], entry.verdict === '' ? '–' : entry.verdict);
  }
  await page.getByRole('button', { name: 'proven differences' }).click();
  assert.match(await page.locator('#comparison').textContent(), /No proven difference/);
});
