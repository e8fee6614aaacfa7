// read.mjs: reads the files of a run directory. They may come from anyone: sizes, rows, names and
// numbers are bounded and checked, and what does not fit is refused with one line that names file
// and line (class Refusal). Nothing is guessed: an empty field is null, never 0.
import { closeSync, fstatSync, openSync, readSync, constants } from 'node:fs';
import { join } from 'node:path';

export class Refusal extends Error {}

const LIMITS = {
  bytes: 256 << 20,
  jsonBytes: 16 << 20,
  jsonDepth: 64,
  rows: 400_000,
  field: 4096,
  columns: 200,
};
export const SCHEMA_VERSION = 1;

// The whole of a regular file (a FIFO or device would never end), or null when there is none.
export function readRegular(path, limit = LIMITS.bytes) {
  let fd;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw new Refusal(`${path}: cannot be read (${error.code})`);
  }
  try {
    const info = fstatSync(fd);
    if (!info.isFile()) throw new Refusal(`${path}: not a regular file`);
    if (info.size > limit) throw new Refusal(`${path}: ${info.size} bytes, more than ${limit}`);
    const data = Buffer.alloc(info.size);
    let at = 0;
    while (at < data.length) {
      const n = readSync(fd, data, at, data.length - at, at);
      if (n === 0) break;
      at += n;
    }
    return data.subarray(0, at);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`${path}: cannot be read (${error.code})`);
  } finally {
    closeSync(fd);
  }
}

// RFC 4180, LF or CRLF. Calls row(fields, lineNumber) for every record.
export function parseCsv(text, path, row) {
  let fields = [];
  let line = 1;
  let first = 1; // the line a record begins on
  let at = 0;
  let rows = 0;
  const fail = (what) => {
    throw new Refusal(`${path}:${first}: ${what}`);
  };
  const quoted = () => {
    let value = '';
    for (let from = at + 1; ;) {
      const end = text.indexOf('"', from);
      if (end < 0) fail('a quoted field is not closed');
      value += text.slice(from, end);
      if (text[end + 1] !== '"') {
        at = end + 1;
        break;
      }
      value += '"';
      from = end + 2;
    }
    for (const c of value) if (c === '\n') line++;
    return value;
  };
  const plain = () => {
    let end = at;
    while (end < text.length && !',\n"'.includes(text[end])) end++;
    if (text[end] === '"') fail('a quote inside a field that is not quoted');
    const value = text.slice(at, end);
    at = end;
    return value.endsWith('\r') && text[end] !== ',' ? value.slice(0, -1) : value;
  };
  while (at < text.length) {
    const value = text[at] === '"' ? quoted() : plain();
    if (value.length > LIMITS.field) fail(`a field of ${value.length} characters`);
    fields.push(value);
    if (fields.length > LIMITS.columns) fail(`more than ${LIMITS.columns} columns`);
    if (text[at] === ',') {
      at++;
      if (at < text.length && text[at] !== '\n') continue;
      fields.push('');
    }
    if (text[at] === '\r') at++;
    if (at < text.length && text[at] !== '\n') fail('text after a quoted field');
    at++;
    if (++rows > LIMITS.rows) fail(`more than ${LIMITS.rows} rows`);
    if (fields.length > 1 || fields[0] !== '') row(fields, first);
    fields = [];
    first = ++line;
  }
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$/;

// A table: {columns, rows}, each row an object of strings and numbers. kinds: column -> 'text';
// every other column of `known` is a number or empty. Columns that are not known are kept as text.
// null when the file is missing.
export function readTable(dir, name, { required, numbers }) {
  const path = join(dir, name);
  const data = readRegular(path);
  if (data === null) return null;
  let columns = null;
  const rows = [];
  const numeric = new Set(numbers);
  parseCsv(data.toString('utf8'), path, (fields, line) => {
    if (columns === null) {
      columns = fields.map((f, i) => (i === 0 ? f.replace(/^\ufeff/, '') : f));
      if (new Set(columns).size !== columns.length)
        throw new Refusal(`${path}:${line}: a column twice`);
      const missing = required.filter((c) => !columns.includes(c));
      if (missing.length > 0) throw new Refusal(`${path}:${line}: no column ${missing.join(', ')}`);
      return;
    }
    if (fields.length !== columns.length)
      throw new Refusal(
        `${path}:${line}: ${fields.length} fields, the header has ${columns.length}`,
      );
    const row = Object.create(null);
    columns.forEach((column, i) => {
      row[column] = numeric.has(column) ? number(fields[i], path, line, column) : fields[i];
    });
    rows.push(row);
  });
  if (columns === null) throw new Refusal(`${path}: empty`);
  return { columns, rows, path };
}

function number(text, path, line, column) {
  if (text === '') return null;
  const value = NUMBER.test(text) ? Number(text) : NaN;
  if (!Number.isFinite(value)) {
    const shown = JSON.stringify(text.slice(0, 40));
    throw new Refusal(`${path}:${line}: ${column} is ${shown}, not a number`);
  }
  return value;
}

// How deeply arrays and objects nest. JSON.parse takes any depth, but what recurses over the value,
// as JSON.stringify does, runs out of stack.
function depthOf(json) {
  const [quote, backslash, ...brackets] = Buffer.from('"\\[{]}');
  let depth = 0;
  let most = 0;
  let quoted = false;
  for (let i = 0; i < json.length; i++) {
    if (json[i] === quote) quoted = !quoted;
    else if (quoted) i += json[i] === backslash ? 1 : 0;
    else if (json[i] === brackets[0] || json[i] === brackets[1]) most = Math.max(most, ++depth);
    else if (json[i] === brackets[2] || json[i] === brackets[3]) depth--;
  }
  return most;
}

// A JSON object, or null when the file is missing.
export function readJson(dir, name) {
  const path = join(dir, name);
  const data = readRegular(path, LIMITS.jsonBytes);
  if (data === null) return null;
  if (depthOf(data) > LIMITS.jsonDepth)
    throw new Refusal(`${path}: nested more than ${LIMITS.jsonDepth} deep`);
  let value;
  try {
    value = JSON.parse(data.toString('utf8'));
  } catch {
    throw new Refusal(`${path}: not JSON`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new Refusal(`${path}: not a JSON object`);
  return value;
}
