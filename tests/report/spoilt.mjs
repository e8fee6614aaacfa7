// spoilt.mjs: what can be wrong with the files of a run directory.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

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
    'a bad histogram log',
    (dir) => hlog(dir, 'Tag=response,0.000,1.000,1.0,HISTFAAAAAAAA'),
    /hlog\/1\.hlog:1: /,
  ],
  [
    'binary rubbish',
    (dir) => writeFileSync(join(dir, 'measurements.csv'), Buffer.alloc(5000, 0x9c)),
    /measurements\.csv:1: /,
  ],
];
function edit(dir, name, change) {
  const path = join(dir, name);
  const before = readFileSync(path, 'utf8');
  const after = change(before);
  assert.notEqual(after, before);
  writeFileSync(path, after);
}
function hlog(dir, text) {
  mkdirSync(join(dir, 'hlog'));
  writeFileSync(join(dir, 'hlog', '1.hlog'), text);
}
