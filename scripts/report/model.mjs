// model.mjs: a run directory as one plain object that can be written as JSON into the page:
//
//   cells   [{id, p: {parameter: value}}]      in the order of measurements.csv
//   labels  [{name, backend}]                  likewise; `name` is the CSV's label
//   rows    [cell][label] = null or {trials, measured, status, flags: {flag: trials}, reason, regime,
//           m: {metric: [the fields SUMMARY_FIELDS, in that order]}, cut where the rest is empty,
//           launches: {metric: [[block, value], …]} of the metrics FOREST}
//   percentiles [cell][label] = null or {samples, points: [[percentile, value_us], …]}, thinned
//   heat    [cell][label] = null or {step_s, steps, buckets: [[t, bucket, count], …]} (hlog.mjs)
//   unreadLogs  trials whose log is not in it, as all logs together are too long
//   simultaneous  the intervals of ratios hold for all labels of a cell at once
//
// The figures are those of summary.csv; nothing is computed anew except, for a column the summary
// does not have, the median over the trials, without an interval.
import { realpathSync } from 'node:fs';
import { basename, join } from 'node:path';

import { readHeat } from './hlog.mjs';
import { Refusal, SCHEMA_VERSION, readJson, readTable } from './read.mjs';
import { inOrder } from './style.mjs';
import {
  FOREST,
  METRIC_KEYS,
  PARAMETERS,
  SUMMARY_FIELDS,
  isMeasured,
  worseStatus,
} from './words.mjs';

const LIMITS = { cells: 2000, labels: 100, name: 200, parameters: 20 };
const TEXT_PARAMETERS = ['transport', 'mode', 'loop', 'arrival'];
const NUMERIC = [
  'schema_version',
  'block',
  'trial',
  'established',
  'sent',
  'completed',
  'in_flight_end',
  'duration_s',
  'errors_connect',
  'errors_reset',
  'errors_timeout',
  'errors_mismatch',
  'errors_closed',
  ...METRIC_KEYS,
  ...Object.keys(PARAMETERS).filter((key) => !TEXT_PARAMETERS.includes(key)),
];
const SUMMARY_TEXTS = ['verdict', 'best'];
const SUMMARY_REQUIRED = [
  'n',
  'median',
  'low',
  'high',
  'ratio',
  'ratio_low',
  'ratio_high',
  'verdict',
];

// "key=value;key=value" as [[key, value], …]. A value that is a number becomes one.
function splitParams(text, where) {
  const pairs = text.split(';').filter((part) => part !== '');
  if (pairs.length > LIMITS.parameters) throw new Refusal(`${where}: too many params`);
  return pairs.map((part) => {
    const at = part.indexOf('=');
    const value = part.slice(at + 1);
    const numeric = /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    return at > 0 ? [part.slice(0, at), numeric] : [part, 'yes'];
  });
}

function indexer(limit, what, path) {
  const at = new Map();
  return (name, make, list) => {
    if (at.has(name)) return at.get(name);
    if (name === '' || name.length > LIMITS.name) throw new Refusal(`${path}: a bad ${what} name`);
    if (list.length >= limit) throw new Refusal(`${path}: more than ${limit} ${what}s`);
    at.set(name, list.push(make()) - 1);
    return list.length - 1;
  };
}

// A parameter belongs to a cell when its rows agree (a server may have its own number of workers).
function mergeParameters(cell, row, path) {
  const own = Object.create(null);
  for (const key of Object.keys(PARAMETERS))
    if (row[key] !== undefined && row[key] !== null && row[key] !== '') own[key] = row[key];
  for (const [key, value] of splitParams(row.params ?? '', path)) own[key] ??= value;
  for (const [key, value] of Object.entries(own)) {
    cell.p[key] ??= value;
    if (cell.p[key] !== value) cell.mixed.add(key);
  }
}

function addTrial(entry, row) {
  entry.trials++;
  entry.status = worseStatus(entry.status, row.status);
  for (const flag of row.flags
    .split(';')
    .filter((f) => f !== '')
    .slice(0, 20))
    entry.flags[flag] = (Object.hasOwn(entry.flags, flag) ? entry.flags[flag] : 0) + 1;
  if (!isMeasured(row.status)) return;
  entry.measured++;
  if (Number.isInteger(row.trial)) entry.numbers.push(row.trial);
  for (const key of METRIC_KEYS)
    if (typeof row[key] === 'number') (entry.values[key] ??= []).push(row[key]);
  for (const key of FOREST)
    if (typeof row[key] === 'number' && Number.isInteger(row.block))
      (entry.launches[key] ??= []).push([row.block, row[key]]);
}

// Without the empty fields at its end: a page holds thousands of these.
function trimmed(list) {
  const last = list.findLastIndex((v) => v !== null && v !== '');
  return list.slice(0, last + 1);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function readMeasurements(dir) {
  const table = readTable(dir, 'measurements.csv', {
    required: ['schema_version', 'cell_id', 'block', 'backend', 'label', 'status', 'flags'],
    numbers: NUMERIC,
  });
  if (table === null)
    throw new Refusal(`${join(dir, 'measurements.csv')}: missing, so not a run directory`);
  if (table.rows.length === 0) throw new Refusal(`${table.path}: no trial in it`);
  const cells = [];
  const labels = [];
  const rows = [];
  const cellIndex = indexer(LIMITS.cells, 'cell', table.path);
  const labelIndex = indexer(LIMITS.labels, 'label', table.path);
  for (const row of table.rows) {
    if (row.schema_version !== SCHEMA_VERSION)
      throw new Refusal(
        `${table.path}: schema_version ${row.schema_version}, this report reads ${SCHEMA_VERSION}`,
      );
    const cell = cellIndex(
      row.cell_id,
      () => ({ id: row.cell_id, p: Object.create(null), mixed: new Set() }),
      cells,
    );
    mergeParameters(cells[cell], row, table.path);
    const label = labelIndex(row.label, () => ({ name: row.label, backend: row.backend }), labels);
    rows[cell] ??= [];
    rows[cell][label] ??= {
      trials: 0,
      measured: 0,
      status: 'ok',
      flags: {},
      reason: '',
      regime: '',
      launches: {},
      values: {},
      numbers: [],
    };
    addTrial(rows[cell][label], row);
  }
  return { cells, labels, rows };
}

// Adds the summary's figures to the trials' rows, then every metric that it lacks.
function addSummary(dir, measured) {
  const { cells, labels, rows } = measured;
  const find = (list, key, value, path) => {
    const at = list.findIndex((item) => item[key] === value);
    if (at < 0)
      throw new Refusal(
        `${path}: ${key} ${JSON.stringify(value.slice(0, 60))} is not in measurements.csv`,
      );
    return at;
  };
  const table = readTable(dir, 'summary.csv', {
    required: ['cell_id', 'label', 'metric', 'baseline', ...SUMMARY_REQUIRED],
    numbers: SUMMARY_FIELDS.filter((field) => !SUMMARY_TEXTS.includes(field)),
  });
  const places = [new Map(), new Map()];
  const place = (map, list, key, value, path) => {
    if (!map.has(value)) map.set(value, find(list, key, value, path));
    return map.get(value);
  };
  let baseline = '';
  for (const row of table?.rows ?? []) {
    const cell = place(places[0], cells, 'id', row.cell_id, table.path);
    const label = place(places[1], labels, 'name', row.label, table.path);
    const entry = rows[cell][label];
    if (!entry)
      throw new Refusal(
        `${table.path}: ${row.cell_id} has no trial of ${JSON.stringify(row.label)}`,
      );
    entry.m ??= {};
    entry.m[row.metric] = trimmed(SUMMARY_FIELDS.map((field) => row[field] ?? null));
    entry.regime = (row.regime ?? '').slice(0, 40);
    baseline ||= row.baseline;
  }
  for (const entry of rows.flat()) {
    if (!entry) continue;
    const known = Object.assign(Object.create(null), entry.m);
    for (const [key, values] of Object.entries(entry.values))
      known[key] ??= [values.length, Number(median(values).toPrecision(6))];
    entry.m = { ...known };
    delete entry.values;
  }
  return { baseline, simultaneous: table?.columns.includes('p_adjusted') ?? true };
}

// A curve without the points that nobody would miss: those within 2 % of the last one kept, unless
// the next one is not (a step stays a step).
function thinned(points) {
  const sorted = points.sort((a, b) => a[0] - b[0]);
  let last = 0;
  const kept = sorted.filter(([, us], i) => {
    const next = sorted[i + 1];
    const near = (v) => Math.abs(v / sorted[last][1] - 1) <= 0.02;
    if (i > 0 && next !== undefined && near(us) && near(next[1])) return false;
    last = i;
    return true;
  });
  return kept.map(([p, us]) => [Number(p.toPrecision(8)), Number(us.toPrecision(5))]);
}

function addPercentiles(dir, { cells, labels }) {
  const table = readTable(dir, 'percentiles.csv', {
    required: ['cell_id', 'label', 'percentile', 'value_us', 'count'],
    numbers: ['percentile', 'value_us', 'count'],
  });
  const cellAt = new Map(cells.map((cell, i) => [cell.id, i]));
  const labelAt = new Map(labels.map((label, i) => [label.name, i]));
  const result = [];
  for (const row of table?.rows ?? []) {
    const cell = cellAt.get(row.cell_id);
    const label = labelAt.get(row.label);
    if (cell === undefined || label === undefined || row.value_us === null) continue;
    if (row.percentile === null || row.percentile < 0 || row.percentile > 100)
      throw new Refusal(`${table.path}: percentile ${row.percentile}`);
    const curve = ((result[cell] ??= [])[label] ??= { samples: row.count ?? 0, points: [] });
    curve.points.push([row.percentile, row.value_us]);
  }
  for (const curve of result.flat()) if (curve) curve.points = thinned(curve.points);
  return result;
}

// Labels in the order of all reports, whatever the order of the trials was.
function sortLabels({ cells, labels, rows }) {
  const sorted = inOrder(labels);
  const from = sorted.map((label) => labels.indexOf(label));
  return { cells, labels: sorted, rows: rows.map((row) => from.map((at) => row[at])) };
}

// Why trials have no figure, from run.json.
function addReasons(run, { cells, labels, rows }) {
  const trials = Array.isArray(run.trials) ? run.trials : [];
  const cellAt = new Map(cells.map((cell, i) => [cell.id, i]));
  const labelAt = new Map(labels.map((label, i) => [label.name, i]));
  for (const trial of trials) {
    const entry = rows[cellAt.get(trial?.cell_id)]?.[labelAt.get(trial?.label)];
    if (entry && typeof trial.reason === 'string') entry.reason = trial.reason.slice(0, 300);
  }
}

// The run directory as an object.
export function readRun(dir) {
  const measured = sortLabels(readMeasurements(dir));
  const trials = measured.rows.map((row) => row.map((entry) => entry?.numbers));
  for (const entry of measured.rows.flat()) if (entry) delete entry.numbers;
  const summary = addSummary(dir, measured);
  const run = readJson(dir, 'run.json') ?? { schema_version: SCHEMA_VERSION };
  if (run.schema_version !== SCHEMA_VERSION) {
    const found = JSON.stringify(run.schema_version ?? null);
    const path = join(dir, 'run.json');
    throw new Refusal(`${path}: schema_version ${found}, this report reads ${SCHEMA_VERSION}`);
  }
  addReasons(run, measured);
  delete run.trials;
  const { heat, unread } = readHeat(dir, trials);
  const cells = measured.cells.map(({ id, p, mixed }) => ({
    id,
    p: Object.fromEntries(Object.entries(p).filter(([key]) => !mixed.has(key))),
  }));
  return {
    id: basename(realpathSync(dir)),
    run,
    effective: readJson(dir, 'effective.json') ?? {},
    ...summary,
    cells,
    labels: measured.labels,
    rows: measured.rows,
    percentiles: addPercentiles(dir, measured),
    heat,
    unreadLogs: unread,
  };
}
