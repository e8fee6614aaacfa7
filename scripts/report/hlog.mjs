// hlog.mjs: reads HdrHistogram logs (format 1.3, histograms in V2, zlib and base64) and lays them
// out as time × latency counts for the heat maps. Only tag "response" is looked at. The logs are
// not trusted: sizes, numbers and counts are bounded, and a broken line is refused by file and
// line. Source of the format: HdrHistogram's AbstractHistogram.encodeIntoByteBuffer,
// ZigZagEncoding.
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';

import { Refusal, readRegular } from './read.mjs';
import { BUCKETS_PER_DECADE } from './scale.mjs';

const COOKIE = 0x1c849313;
const COMPRESSED = 0x1c849314;
const HEADER_BYTES = 40;
const LIMITS = { bytes: 64 << 20, inflated: 8 << 20, lines: 20_000, steps: 60, logs: 4000 };

// Calls record(value, count) for each counter that is not zero; value is the middle of what the
// counter stands for, in the histogram's unit (ns here).
export function decode(base64, record) {
  const outer = Buffer.from(base64, 'base64');
  if (outer.length < 8 || outer.readUInt32BE(0) !== COMPRESSED)
    throw new Error('not a compressed histogram');
  const length = outer.readUInt32BE(4);
  if (length > outer.length - 8) throw new Error('cut short');
  const data = inflateSync(outer.subarray(8, 8 + length), { maxOutputLength: LIMITS.inflated });
  if (data.length < HEADER_BYTES || data.readUInt32BE(0) !== COOKIE)
    throw new Error('not a V2 histogram');
  const end = HEADER_BYTES + data.readInt32BE(4);
  const digits = data.readInt32BE(12);
  const lowest = Number(data.readBigInt64BE(16));
  if (digits < 1 || digits > 5 || lowest < 1 || end > data.length) throw new Error('a bad header');
  const halfMagnitude = Math.ceil(Math.log2(2 * 10 ** digits)) - 1;
  const half = 2 ** halfMagnitude;
  const unit = 2 ** Math.floor(Math.log2(lowest));
  let index = 0;
  for (let at = HEADER_BYTES; at < end;) {
    let raw = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= end) throw new Error('a count is cut short');
      const b = data[at++];
      raw += (b & 127) * scale;
      if (b < 128) break;
      if (scale > 2 ** 42) throw new Error('a count above 2^49');
    }
    const count = raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
    if (count < 0) {
      index -= count;
      if (index > 2 ** 24) throw new Error('an index out of range');
      continue;
    }
    const bucket = Math.max(0, Math.floor(index / half) - 1);
    const sub = bucket === 0 ? index : (index % half) + half;
    if (count > 0) record((sub + 0.5) * 2 ** bucket * unit, count);
    index++;
  }
}

// Calls interval(start_s, length_s, base64) for every line of the tag.
function eachInterval(path, text, tag, interval) {
  const lines = text.split('\n');
  if (lines.length > LIMITS.lines) throw new Refusal(`${path}: more than ${LIMITS.lines} lines`);
  lines.forEach((line, number) => {
    if (line === '' || line.startsWith('#') || line.startsWith('"')) return;
    const fields = line.trimEnd().split(',');
    const found = fields[0].startsWith('Tag=') ? fields.shift().slice(4) : '';
    if (found !== tag) return;
    const [start, length] = fields.slice(0, 2).map(Number);
    if (fields.length !== 4 || !(start >= 0) || !(length >= 0))
      throw new Refusal(`${path}:${number + 1}: not an interval of a histogram log`);
    try {
      interval(start, length, fields[3]);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      throw new Refusal(`${path}:${number + 1}: ${error.message}`);
    }
  });
}

// Adds one trial's log to the list of [start_s, length_s, bucket, count], time counted from its
// first interval that has a sample: those before are of connecting and warming up.
function readLog(path, cells) {
  const data = readRegular(path, LIMITS.bytes);
  if (data === null) return;
  let first = null;
  eachInterval(path, data.toString('latin1'), 'response', (start, length, base64) => {
    const buckets = new Map();
    decode(base64, (ns, count) => {
      const bucket = Math.floor(Math.log10(ns) * BUCKETS_PER_DECADE);
      buckets.set(bucket, (buckets.get(bucket) ?? 0) + count);
    });
    if (buckets.size > 0) first ??= start;
    for (const [bucket, count] of buckets) cells.push([start - first, length, bucket, count]);
  });
}

// {step_s, steps, buckets: [[t, bucket, count], …]} of all trials laid over each other, or null. A
// step is the usual interval; a short one at the end joins the step before it.
function layOver(cells) {
  if (cells.length === 0) return null;
  const lengths = cells.map(([, length]) => length).sort((a, b) => a - b);
  const usual = Math.max(1e-3, lengths[lengths.length >> 1]);
  const span = cells.reduce((most, c) => Math.max(most, c[0] + usual), 0);
  const step = usual * Math.max(1, Math.ceil(span / usual / LIMITS.steps));
  const sums = new Map();
  let last = 0;
  for (const [start, length, bucket, count] of cells) {
    const whole = Math.floor(start / step + 0.01);
    const t = Math.max(0, whole - (length < step / 2 ? 1 : 0));
    const key = `${t},${bucket}`;
    sums.set(key, (sums.get(key) ?? 0) + count);
    last = Math.max(last, t);
  }
  const buckets = [...sums].map(([key, count]) => [...key.split(',').map(Number), count]);
  buckets.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return { step_s: Number(step.toFixed(3)), steps: last + 1, buckets };
}

// [cell][label] for the model; trials: [cell][label] = the trial numbers of measurements.csv.
export function readHeat(dir, trials) {
  let budget = LIMITS.logs;
  return trials.map((labels) =>
    labels.map((numbers) => {
      const cells = [];
      for (const number of numbers ?? [])
        if (budget-- > 0) readLog(join(dir, 'hlog', `${number}.hlog`), cells);
      return layOver(cells);
    }),
  );
}
