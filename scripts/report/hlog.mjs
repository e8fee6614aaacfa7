// hlog.mjs: reads HdrHistogram logs (format 1.3, histograms in V2, zlib and base64) and lays them
// out as time × latency counts for the heat maps. Only the tag "response" is read. The logs are not
// trusted: sizes, numbers and counts are bounded, a broken line is refused by file and line, and all
// logs of a run share one budget of bytes. Source of the format: HdrHistogram's
// AbstractHistogram.encodeIntoByteBuffer and ZigZagEncoding.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';

import { Refusal, readRegular } from './read.mjs';
import { BUCKETS_PER_DECADE } from './scale.mjs';

const COOKIE = 0x1c849313;
const COMPRESSED = 0x1c849314;
const HEADER_BYTES = 40;
const COUNTER_BYTES = 9; // the most that one takes
const DECADES = 19; // of ns: a value has 63 bits
const ROWS = DECADES * BUCKETS_PER_DECADE;
const LIMITS = {
  bytes: 64 << 20,
  lines: 20_000,
  seconds: 1e12,
  steps: 60,
  // Counters of the widest histogram that is read: 3 digits over 63 bits, 54 buckets of 1,024.
  counters: 54 * 1024,
  // Of all logs of a run, as text and inflated; an interval counts for as much as it is kept in. A
  // second of a trial takes about 12 KB.
  budget: 256 << 20,
};

// The layout that a header asks for: {half, unit, counters}; lowest and highest are BigInt.
function layoutOf(digits, lowest, highest) {
  if (digits < 1 || digits > 5 || lowest < 1n || highest < 2n * lowest)
    throw new Error('a bad header');
  const half = 2 ** (Math.ceil(Math.log2(2 * 10 ** digits)) - 1);
  const unit = 2 ** Math.floor(Math.log2(Number(lowest)));
  let buckets = 1;
  for (let reach = BigInt(2 * half * unit); reach <= highest; reach *= 2n) buckets++;
  const counters = (buckets + 1) * half;
  if (counters > LIMITS.counters) throw new Error('a wider histogram than is read here');
  return { half, unit, counters };
}

// The histogram as {layout, counters: its bytes}.
function unpack(base64) {
  const outer = Buffer.from(base64, 'base64');
  if (outer.length < 8 || outer.readUInt32BE(0) !== COMPRESSED)
    throw new Error('not a compressed histogram');
  const length = outer.readUInt32BE(4);
  if (length > outer.length - 8) throw new Error('cut short');
  let data;
  try {
    const maxOutputLength = HEADER_BYTES + COUNTER_BYTES * LIMITS.counters;
    data = inflateSync(outer.subarray(8, 8 + length), { maxOutputLength });
  } catch (error) {
    if (error.code !== 'ERR_BUFFER_TOO_LARGE') throw error;
    throw new Error('more bytes than a histogram can have');
  }
  if (data.length < HEADER_BYTES || data.readUInt32BE(0) !== COOKIE)
    throw new Error('not a V2 histogram');
  const payload = data.readInt32BE(4);
  if (payload < 0 || payload > data.length - HEADER_BYTES) throw new Error('cut short');
  const layout = layoutOf(data.readInt32BE(12), data.readBigInt64BE(16), data.readBigInt64BE(24));
  return { layout, counters: data.subarray(HEADER_BYTES, HEADER_BYTES + payload) };
}

// Calls record(index, count) for each counter that is not zero.
function eachCounter({ layout, counters }, record) {
  let index = 0;
  for (let at = 0; at < counters.length;) {
    let raw = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= counters.length) throw new Error('a count is cut short');
      const b = counters[at++];
      raw += (b & 127) * scale;
      if (b < 128) break;
      if (scale > 2 ** 42) throw new Error('a count above 2^49');
    }
    const count = raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
    if (index + Math.max(1, -count) > layout.counters) throw new Error('a counter out of range');
    if (count > 0) record(index, count);
    index += Math.max(1, -count);
  }
}

// The row of the heat map that each counter of a layout falls in, by the middle of its values.
const rowTables = new Map();
function rowsOf({ half, unit, counters }) {
  const key = `${half},${unit}`;
  const known = rowTables.get(key);
  if (known?.length >= counters) return known;
  const rows = Uint8Array.from({ length: counters }, (_, index) => {
    const bucket = Math.max(0, Math.floor(index / half) - 1);
    const sub = bucket === 0 ? index : (index % half) + half;
    const ns = (sub + 0.5) * 2 ** bucket * unit;
    return Math.max(0, Math.min(ROWS - 1, Math.floor(Math.log10(ns) * BUCKETS_PER_DECADE)));
  });
  rowTables.set(key, rows);
  return rows;
}

// Counts of one histogram by row of the heat map.
function decode(base64, budget) {
  const histogram = unpack(base64);
  const rows = rowsOf(histogram.layout);
  const counts = new Float64Array(ROWS);
  eachCounter(histogram, (index, count) => {
    counts[rows[index]] += count;
  });
  budget.bytes -= histogram.counters.length + counts.byteLength;
  return counts;
}

// Calls interval(start_s, length_s, base64) for every line of the tag, until it returns false.
function eachInterval(path, text, tag, interval) {
  const lines = text.split('\n');
  if (lines.length > LIMITS.lines) throw new Refusal(`${path}: more than ${LIMITS.lines} lines`);
  for (const [i, line] of lines.entries()) {
    if (line === '' || line.startsWith('#') || line.startsWith('"')) continue;
    const fields = line.trimEnd().split(',');
    const found = fields[0].startsWith('Tag=') ? fields.shift().slice(4) : '';
    if (found !== tag) continue;
    const [start, length] = fields.slice(0, 2).map(Number);
    const inRange = (seconds) => seconds >= 0 && seconds <= LIMITS.seconds;
    if (fields.length !== 4 || !inRange(start) || !inRange(length))
      throw new Refusal(`${path}:${i + 1}: not an interval of a histogram log`);
    try {
      if (!interval(start, length, fields[3])) return;
    } catch (error) {
      throw new Refusal(`${path}:${i + 1}: ${error.message}`);
    }
  }
}

// The intervals of one trial's log that have a sample, as [{start, length, counts}]; start counts
// from the first of them, as connecting and warming up come before it. null: the budget is spent.
function readLog(path, budget) {
  if (budget.bytes <= 0) return existsSync(path) ? null : [];
  const data = readRegular(path, LIMITS.bytes);
  if (data === null) return [];
  budget.bytes -= data.length;
  const intervals = [];
  eachInterval(path, data.toString('latin1'), 'response', (from, length, base64) => {
    const counts = decode(base64, budget);
    if (counts.some((count) => count > 0))
      intervals.push({ start: from - (intervals[0]?.from ?? from), from, length, counts });
    return budget.bytes > 0;
  });
  return budget.bytes > 0 ? intervals : null;
}

// {step_s, steps, buckets: [[t, bucket, count], …]} of all trials laid over each other, or null. A
// step is the usual interval; a short one at the end joins the step before it.
function layOver(intervals) {
  if (intervals.length === 0) return null;
  const lengths = intervals.map(({ length }) => length).sort((a, b) => a - b);
  const usual = Math.max(1e-3, lengths[lengths.length >> 1]);
  const span = intervals.reduce((most, { start }) => Math.max(most, start + usual), 0);
  const step = usual * Math.max(1, Math.ceil(span / usual / LIMITS.steps));
  const steps = [];
  for (const { start, length, counts } of intervals) {
    const whole = Math.floor(start / step + 0.01);
    const t = Math.max(0, whole - (length < step / 2 ? 1 : 0));
    steps[t] ??= new Float64Array(ROWS);
    counts.forEach((count, bucket) => (steps[t][bucket] += count));
  }
  const buckets = steps.flatMap((counts, t) =>
    [...counts].flatMap((count, bucket) => (count > 0 ? [[t, bucket, count]] : [])),
  );
  return { step_s: Number(step.toFixed(3)), steps: steps.length, buckets };
}

// {heat: [cell][label] for the model, unread: logs that the budget did not reach}; trials:
// [cell][label] = the trial numbers of measurements.csv.
export function readHeat(dir, trials) {
  const budget = { bytes: LIMITS.budget };
  let unread = 0;
  const heat = trials.map((labels) =>
    labels.map((numbers) => {
      const logs = (numbers ?? []).map((n) => readLog(join(dir, 'hlog', `${n}.hlog`), budget));
      unread += logs.filter((log) => log === null).length;
      return layOver(logs.flatMap((log) => log ?? []));
    }),
  );
  return { heat, unread };
}
