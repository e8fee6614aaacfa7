// shots.mjs: node shots.mjs REPORT.html OUT_DIR: screenshots of a report as people see it: wide,
// phone, dark, grey, print. For looking at; tests are in *.test.mjs.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { openBrowser } from './browser.mjs';

const [report, out] = process.argv.slice(2);
const url = pathToFileURL(report).href;
const browser = await openBrowser();
const shot = async (name, options, act = async () => {}) => {
  const context = await browser.newContext({ offline: true, ...options });
  const page = await context.newPage();
  page.on('console', (m) => console.log(name, m.type(), m.text()));
  page.on('pageerror', (e) => console.log(name, 'error', e.message));
  await page.goto(url);
  await page.waitForSelector('html[data-ready]', { timeout: 10_000 });
  await act(page);
  await page.screenshot({ path: join(out, `${name}.png`), fullPage: true });
  const { width } = options.viewport;
  for (let i = 0; i < 5; i++)
    await page
      .screenshot({
        path: join(out, `${name}-${i}.png`),
        fullPage: true,
        clip: { x: 0, y: i * 1000, width, height: 1000 },
      })
      .catch(() => {});
  if (name === 'wide')
    await page.pdf({ path: join(out, 'print.pdf'), format: 'A4', printBackground: false });
  await context.close();
};
await shot('wide', { viewport: { width: 1280, height: 800 } });
await shot('phone', { viewport: { width: 390, height: 800 }, deviceScaleFactor: 2 });
await shot('dark', { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' });
await shot('grey', { viewport: { width: 1280, height: 800 } }, (page) =>
  page.addStyleTag({ content: 'html{filter:grayscale(1)}' }),
);
await shot('alone', { viewport: { width: 1280, height: 800 } }, async (page) => {
  const chip = page.locator('.chip').nth(1);
  if ((await chip.count()) > 0) await chip.click();
});
await browser.close();
