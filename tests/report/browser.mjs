// browser.mjs: Debian's chromium under playwright-core, kept from the network and from the profile
// of whoever runs the tests. null when one of the two is not installed.
import { existsSync } from 'node:fs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

export async function openBrowser() {
  if (!existsSync(CHROMIUM)) return null;
  let playwright;
  try {
    playwright = await import('playwright-core');
  } catch {
    return null;
  }
  return playwright.chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
