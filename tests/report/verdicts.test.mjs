// verdicts.test.mjs: what the page says of the comparisons: forests, the set of best, void cells, and
// runs of earlier versions.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { large } from './fabricate.mjs';
import { built, open, startBrowser, stopBrowser } from './pages.mjs';
import { readRows, report } from './support.mjs';

let out;
let dense; // the backends and cells of c10k; no test writes there
before(async () => {
  await startBrowser();
  out = mkdtempSync(join(tmpdir(), 'muxbench-report-'));
  dense = large(join(out, 'dense'));
  assert.equal(report(dense).status, 0);
});
after(async () => {
  await stopBrowser();
  rmSync(out, { recursive: true, force: true });
});

// The rows of the forest of a metric: [label, text beside it].
const forestOf = (page, name) =>
  page.$$eval(`figure[data-figure=forest-${name}] svg`, (svgs) => {
    const middle = (x) => x.getBoundingClientRect().top + x.getBoundingClientRect().height / 2;
    const texts = [...svgs[0].querySelectorAll('text')];
    const beside = texts.filter((x) => /×|baseline|skipped|descriptors/.test(x.textContent));
    return beside.map((x) => {
      const near = (y) => Math.abs(middle(y) - middle(x)) < 6 && !beside.includes(y);
      return [texts.find(near)?.textContent, x.textContent];
    });
  });

test('each cell has a forest of the host, the server and the load, with the verdicts', async (t) => {
  const page = await open(t, dense);
  const rows = readRows(join(dense, 'summary.csv')).filter((r) => r.cell_id === 'c4');
  for (const name of ['host-cpu', 'server-cpu', 'client-cpu']) {
    const metric = `${name.replace('-', '_')}_us_per_req`;
    const shown = new Map(await forestOf(page, name));
    const own = rows.filter((r) => r.metric === metric);
    assert.equal(shown.size, own.length + 1); // select is skipped
    for (const { label, ratio, ratio_low: low, ratio_high: high, verdict, detectable } of own) {
      if (label === 'poll') continue;
      const would = verdict === 'undecided' ? ` (≥ ${(100 * detectable).toFixed(1)} %)` : '';
      const [r, l, h] = [ratio, low, high].map((v) => Number(v).toFixed(3));
      assert.equal(shown.get(label), `${r}× [${l}, ${h}] ${verdict}${would}`, `${name} ${label}`);
    }
    assert.equal(shown.get('poll'), 'baseline');
    assert.equal(shown.get('select'), 'skipped');
    const note = await page.locator(`figure[data-figure=forest-${name}] .note`).textContent();
    assert.match(note, /poll against itself: .*so δ = 4\.3 %/);
  }
  await page.locator('#metric').selectOption('completed_per_s');
  assert.equal(await page.locator('figure[data-figure=forest-completed-per-s]').count(), 1);
});

test('the set of best is marked, and a void cell has none', async (t) => {
  const starred = (page) =>
    page.$$eval('#ranking td.rank', (cells) =>
      cells.filter((c) => c.textContent.includes('★')).map((c) => c.parentNode.dataset.label),
    );
  const page = await open(t, dense);
  const best = readRows(join(dense, 'summary.csv')).filter(
    (r) => r.cell_id === 'c4' && r.metric === 'server_cpu_us_per_req' && r.best === 'yes',
  );
  assert.ok(best.length > 0);
  assert.deepEqual((await starred(page)).sort(), best.map((r) => r.label).sort());
  const dir = built(t, (d) => {
    const made = large(d);
    const path = join(made, 'summary.csv');
    const text = readFileSync(path, 'utf8');
    writeFileSync(
      path,
      text.replace(/^(.*poll-twin,server_cpu.*),(equivalent|undecided),/gm, '$1,void,'),
    );
    return made;
  });
  const unsteady = await open(t, dir);
  assert.deepEqual(await starred(unsteady), []);
  const note = await unsteady.locator('figure[data-figure=forest-server-cpu] .note').textContent();
  assert.match(note, /all verdicts here are void/);
});

test('a run of before, without simultaneous intervals, opens and says so', async (t) => {
  const dir = built(t, (d) => {
    const made = large(d);
    const path = join(made, 'summary.csv');
    const rows = readFileSync(path, 'utf8').trimEnd().split('\r\n');
    const old = rows.map((row) => row.split(',').slice(0, 16).join(','));
    writeFileSync(path, `${old.join('\r\n').replace(/,(equivalent|undecided),/g, ',~,')}\r\n`);
    return made;
  });
  const page = await open(t, dir);
  assert.match(await page.locator('#forest-lead').textContent(), /An earlier version/);
  const full = await open(t, dense);
  assert.match(await full.locator('#forest-lead').textContent(), /simultaneous/);
});
