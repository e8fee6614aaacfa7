// pages.mjs: reports opened in a browser that all tests of a process share.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { openBrowser } from './browser.mjs';
import { report, scratch } from './support.mjs';

let browser = null;
let users = 0;
export async function startBrowser() {
  users++;
  browser ??= openBrowser();
  assert.ok(await browser, 'chromium and playwright-core are needed');
}
export async function stopBrowser() {
  if (--users === 0) await (await browser)?.close();
}

// Opens a report; anything the page complains about or asks of the network fails the test.
export async function open(t, dir, options = {}, file = 'report.html') {
  const context = await (
    await browser
  ).newContext({
    offline: true,
    viewport: { width: 1280, height: 800 },
    ...options,
  });
  t.after(() => context.close());
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && complaints.push(m.text()));
  page.on('pageerror', (e) => complaints.push(e.message));
  page.on('dialog', (d) => complaints.push(`dialog ${d.message()}`));
  page.on(
    'request',
    (r) => /^(file|data|blob):/.test(r.url()) || complaints.push(`request ${r.url()}`),
  );
  await page.goto(pathToFileURL(join(dir, file)).href);
  await page.waitForSelector('html[data-ready]', { timeout: 15_000 });
  t.after(() => assert.deepEqual(complaints, []));
  return page;
}

// The report of a run directory that make(dir) writes.
export function built(t, make) {
  const dir = make(join(scratch(t), 'run'));
  const done = report(dir);
  assert.equal(done.status, 0, done.err);
  return dir;
}
