// facts.mjs: what surrounds the figures: what was asked and where, flags in words, rows that failed, the machine, the
// commands.
import { el } from './dom.mjs';
import { isControl } from './view.mjs';
import { flagVoids, flagWords, visible } from './words.mjs';

const MOST = 60;
const plural = (n, word) => `${n} ${word}${n === 1 ? '' : 's'}`;

// "muxbench · quick · 2026-11-20 12:01 UTC · git 1a2b3c · Linux 6.1 · 2 CPUs".
export function eyebrow({ experiment, started, git, kernel, cpu }) {
  const when = typeof started === 'string' ? started.slice(0, 16).replace('T', ' ') : '';
  const parts = [
    'muxbench',
    experiment,
    when === '' ? '' : `${when} UTC`,
    typeof git === 'string' ? `git ${git}` : '',
    typeof kernel?.release === 'string' ? `Linux ${kernel.release}` : '',
    typeof cpu?.model === 'string' ? cpu.model : '',
    Number.isInteger(cpu?.online) ? `${cpu.online} CPUs` : '',
  ];
  const said = parts.filter((text) => typeof text === 'string' && text !== '');
  return visible(said.join(' · ')).slice(0, 300);
}

// The question that the run answers; `muxbench versus` asks none.
export function questionOf(model) {
  const question = model.effective.question ?? model.run.question;
  if (typeof question === 'string' && question !== '') return question.slice(0, 400);
  const rivals = model.labels.map(({ name }) => name).filter((name) => name !== model.baseline);
  const shown = rivals.filter((name) => !isControl(model, name)).slice(0, 8);
  if (model.run.experiment !== 'versus' || shown.length === 0) return `Run ${model.id}`;
  return visible(`${model.baseline} against ${shown.join(', ')}`).slice(0, 400);
}

// A line per flag, and one per kind of row without a figure.
export function warnings(model) {
  const flags = new Map();
  const without = new Map();
  for (const row of model.rows)
    row.forEach((entry, i) => {
      if (!entry) return;
      const name = visible(model.labels[i].name);
      for (const [flag, n] of Object.entries(entry.flags)) {
        const found = flags.get(flag) ?? { trials: 0, names: new Set() };
        found.trials += n;
        flags.set(flag, { ...found, names: found.names.add(name) });
      }
      if (entry.measured > 0 && entry.status !== 'failed') return;
      const why = `${entry.status}${entry.reason === '' ? '' : `: ${entry.reason}`}`;
      without.set(why, (without.get(why) ?? new Set()).add(name));
    });
  const all = model.labels.length;
  const some = (names) => {
    if (all > 2 && names.size === all) return 'every backend';
    const rest = names.size > 8 ? ` and ${names.size - 8} more` : '';
    return `${[...names].slice(0, 8).join(', ')}${rest}`;
  };
  const lines = [...without].map(([why, names]) => `${some(names)}: ${why}.`);
  const byWeight = [...flags].sort(
    ([a], [b]) => flagVoids(b, 'completed_per_s') - flagVoids(a, 'completed_per_s'),
  );
  for (const [flag, { trials, names }] of byWeight)
    lines.push(`${flag}, ${plural(trials, 'trial')} of ${some(names)}: ${flagWords(flag)}.`);
  if (model.unreadLogs > 0)
    lines.push(`The heat maps lack ${plural(model.unreadLogs, 'trial')}: the logs are too long.`);
  if (typeof model.run.status === 'string' && model.run.status !== 'finished')
    lines.unshift(`This run is ${model.run.status}.`);
  return lines.slice(0, MOST);
}

function flatten(value, prefix, rows, depth = 0) {
  if (rows.length >= 300) return;
  if (value !== null && typeof value === 'object' && depth < 4 && Object.keys(value).length > 0)
    for (const [key, v] of Object.entries(value))
      flatten(v, prefix === '' ? key : `${prefix}.${key}`, rows, depth + 1);
  else rows.push([prefix, typeof value === 'string' ? value : JSON.stringify(value)]);
}

function folded(title, object, skip = []) {
  const rows = [];
  flatten(
    Object.fromEntries(Object.entries(object).filter(([key]) => !skip.includes(key))),
    '',
    rows,
  );
  if (rows.length === 0) return null;
  return el(
    'details',
    { class: 'more' },
    el('summary', {}, title),
    el(
      'div',
      { class: 'scroll' },
      el(
        'table',
        {},
        rows.map(([key, v]) =>
          el('tr', {}, el('th', { scope: 'row' }, key), el('td', {}, v.slice(0, 600))),
        ),
      ),
    ),
  );
}

const quoteWord = (word) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

export function facts(model) {
  const argv = Array.isArray(model.run.argv)
    ? model.run.argv.map((w, i) => (i === 0 ? String(w) : quoteWord(String(w)))).join(' ')
    : '';
  const command =
    argv === ''
      ? null
      : el('details', { class: 'more' }, el('summary', {}, 'Command'), el('pre', {}, argv));
  return [
    command,
    folded('Machine and build', model.run, ['argv', 'question', 'answer']),
    folded('Experiment, every default filled in', model.effective),
  ].filter(Boolean);
}
