// dom.mjs: small helpers of the page. Text from a run directory enters the document through
// textContent only; nothing here or elsewhere in the page parses markup.
import { colourOf } from './style.mjs';
import { csvText, visible } from './words.mjs';

// el('td', {class: 'x', 'data-value': 3}, child, 'text', …): null children are left out.
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, v] of Object.entries(attributes)) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), v);
    else if (v !== null && v !== undefined && v !== false)
      node.setAttribute(key, v === true ? '' : String(v));
  }
  node.append(
    ...children
      .flat(Infinity)
      .filter((c) => c !== null && c !== undefined)
      .map((c) => (typeof c === 'string' ? visible(c) : c)),
  );
  return node;
}

export function svg(name, attributes) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, v] of Object.entries(attributes)) node.setAttribute(key, v);
  return node;
}

// Line and symbol of a label, as it looks in the charts.
export function swatch(look, theme) {
  const colour = colourOf(look, theme);
  const root = svg('svg', { width: 28, height: 11, viewBox: '0 0 28 11', 'aria-hidden': 'true' });
  root.append(
    svg('path', {
      d: 'M0,5.5L28,5.5',
      stroke: colour,
      'stroke-width': 1.8,
      fill: 'none',
      'stroke-dasharray': look.dash.join(','),
    }),
    svg('path', { d: look.symbol, fill: colour, transform: 'translate(10 1.7) scale(0.76)' }),
  );
  return root;
}

export const button = (text, onclick, attributes = {}) =>
  el('button', { type: 'button', onclick, ...attributes }, text);

// One choice of several, as buttons in a row, or as a select when there are many.
export function choice(title, options, chosen, pick) {
  if (options.length > 8 || options.map(([, text]) => text).join('').length > 48) {
    const select = el(
      'select',
      { 'aria-label': title, onchange: (e) => pick(options[e.target.selectedIndex][0]) },
      options.map(([v, text]) => el('option', { selected: v === chosen }, text)),
    );
    return el('span', { class: 'field' }, title, select);
  }
  return el(
    'span',
    { class: 'field', role: 'group', 'aria-label': title },
    title,
    el(
      'span',
      { class: 'segments' },
      options.map(([v, text]) =>
        button(text, () => pick(v), { 'aria-pressed': String(v === chosen) }),
      ),
    ),
  );
}

// A plain table of rows, the first one being the head.
export function plainTable(rows, most = 400) {
  const [head, ...body] = rows;
  const cell = (v) =>
    v === null ? '' : typeof v === 'number' ? String(Number(v.toPrecision(6))) : v;
  const shown = body.slice(0, most).map((row) =>
    el(
      'tr',
      {},
      row.map((v) => el('td', {}, cell(v))),
    ),
  );
  const rest =
    body.length > most ? el('p', {}, `${body.length - most} more rows: copy as CSV.`) : null;
  return [
    el(
      'table',
      {},
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          head.map((h) => el('th', { scope: 'col' }, h)),
        ),
      ),
      el('tbody', {}, shown),
    ),
    rest,
  ];
}

export async function copyCsv(rows, from) {
  const text = csvText(rows);
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el('textarea', { class: 'sr' });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  const before = from.textContent;
  from.textContent = 'Copied';
  setTimeout(() => (from.textContent = before), 1200);
}

export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = el('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
