// spoilt.mjs: what can be wrong with the files of a run directory.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';

// [what is wrong, how it comes about, what the line has to say]
export const SPOILT = [
  [
    'no measurements.csv',
    (dir) => writeFileSync(join(dir, 'measurements.csv.tmp'), ''),
    /measurements\.csv: missing/,
    ['measurements.csv'],
  ],
  [
    'an empty file',
    (dir) => truncateSync(join(dir, 'measurements.csv'), 0),
    /measurements\.csv: empty/,
  ],
  [
    'only the header',
    (dir) => edit(dir, 'measurements.csv', (s) => s.split('\r\n')[0]),
    /no trial/,
  ],
  [
    'a file cut in a row',
    (dir) => edit(dir, 'measurements.csv', (s) => s.slice(0, s.length - 200)),
    /measurements\.csv:\d+: .*fields/,
  ],
  [
    'an open quote',
    (dir) => edit(dir, 'summary.csv', (s) => `${s}"c0,a`),
    /summary\.csv:\d+: a quoted field is not closed/,
  ],
  [
    'NaN',
    (dir) => edit(dir, 'summary.csv', (s) => s.replace(/,8,[\d.]+,/, ',8,NaN,')),
    /summary\.csv:\d+: median is "NaN", not a number/,
  ],
  [
    'infinity',
    (dir) => edit(dir, 'summary.csv', (s) => s.replace(/,8,[\d.]+,/, ',8,1e999,')),
    /not a number/,
  ],
  [
    'a missing column',
    (dir) => edit(dir, 'summary.csv', (s) => s.replace('verdict', 'opinion')),
    /summary\.csv:1: no column verdict/,
  ],
  [
    'a label that was never measured',
    (dir) => edit(dir, 'summary.csv', (s) => s.replace('c0,a,', 'c0,ghost,')),
    /ghost.* is not in measurements\.csv/,
  ],
  [
    'another schema',
    (dir) => edit(dir, 'measurements.csv', (s) => s.replaceAll('\n1,', '\n2,')),
    /schema_version 2/,
  ],
  [
    'another schema of run.json',
    (dir) => writeFileSync(join(dir, 'run.json'), '{"schema_version":9}'),
    /run\.json: schema_version 9/,
  ],
  [
    'run.json that is not JSON',
    (dir) => writeFileSync(join(dir, 'run.json'), '{"a":'),
    /run\.json: not JSON/,
  ],
  [
    'run.json nested 5,000 deep',
    (dir) => writeFileSync(join(dir, 'run.json'), `{"schema_version":1,"a":${nested(5000)}}`),
    /run\.json.*(nested more than|parsing depth)/,
  ],
  [
    'effective.json nested 5,000 deep',
    (dir) => writeFileSync(join(dir, 'effective.json'), `{"a":${nested(5000)}}`),
    /effective\.json.*(nested more than|parsing depth)/,
  ],
  [
    'a bad histogram log',
    (dir) => hlog(dir, 'Tag=response,0.000,1.000,1.0,HISTFAAAAAAAA'),
    /hlog\/1\.hlog:1: /,
  ],
  [
    'a histogram log with an interval that never ends',
    (dir) => hlog(dir, `Tag=response,0.000,1e999,1.0,${histogram(Buffer.from([2]))}`),
    /hlog\/1\.hlog:1: not an interval/,
  ],
  [
    'a histogram that inflates to more than its header allows',
    (dir) => hlog(dir, `Tag=response,0.000,1.000,1.0,${histogram(Buffer.alloc(100_000))}`),
    /hlog\/1\.hlog:1: a counter out of range/,
  ],
  [
    'a histogram that inflates without end',
    (dir) => hlog(dir, `Tag=response,0.000,1.000,1.0,${histogram(Buffer.alloc(8_000_000))}`),
    /hlog\/1\.hlog:1: more bytes than a histogram can have/,
  ],
  [
    'binary rubbish',
    (dir) => writeFileSync(join(dir, 'measurements.csv'), Buffer.alloc(5000, 0x9c)),
    /measurements\.csv:1: /,
  ],
];
const nested = (depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
function edit(dir, name, change) {
  const path = join(dir, name);
  const before = readFileSync(path, 'utf8');
  const after = change(before);
  assert.notEqual(after, before);
  writeFileSync(path, after);
}
export function hlog(dir, text, trial = 1) {
  mkdirSync(join(dir, 'hlog'), { recursive: true });
  writeFileSync(join(dir, 'hlog', `${trial}.hlog`), text);
}

// A histogram of 1 ns to 60 s in 3 digits with this payload, as it stands in a log.
export function histogram(payload) {
  const header = Buffer.alloc(40);
  header.writeUInt32BE(0x1c849313, 0);
  header.writeInt32BE(payload.length, 4);
  header.writeInt32BE(3, 12);
  header.writeBigInt64BE(1n, 16);
  header.writeBigInt64BE(60_000_000_000n, 24);
  header.writeDoubleBE(1, 32);
  const packed = deflateSync(Buffer.concat([header, payload]));
  const wrapper = Buffer.alloc(8);
  wrapper.writeUInt32BE(0x1c849314, 0);
  wrapper.writeUInt32BE(packed.length, 4);
  return Buffer.concat([wrapper, packed]).toString('base64');
}
