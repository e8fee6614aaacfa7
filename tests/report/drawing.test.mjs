// drawing.test.mjs: the pure functions of the charts and tables: scales, places of names, numbers,
// CSV.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { spread } from '../../scripts/report/endlabels.mjs';
import { Refusal, parseCsv } from '../../scripts/report/read.mjs';
import { ratioScale, scaleFor, sweepScale } from '../../scripts/report/scale.mjs';
import { voided } from '../../scripts/report/view.mjs';
import { csvText, show, showRange, tick } from '../../scripts/report/words.mjs';

test('ticks stand on round numbers and hold every value', () => {
  for (const [values, unit] of [
    [[3, 9], ''],
    [[17, 23000], 'µs'],
    [[0.2, 0.9], ''],
    [[900, 9000], 'B'],
    [[1e-3, 5e6], ''],
    [[0, 0], ''],
    [[], ''],
    [[-300, 5000], 'B'],
    [[-7], ''],
  ]) {
    const s = scaleFor(values, unit);
    assert.ok(s.ticks.length >= 2 && s.ticks.length < 13, JSON.stringify([values, s]));
    for (const v of values) assert.ok(v >= s.min && v <= s.max, JSON.stringify([values, s]));
  }
  const many = Array.from({ length: 400_000 }, (_, i) => i); // more than a call takes as arguments
  assert.equal(scaleFor(many, '').max, 400_000);
  assert.deepEqual(sweepScale([10000, 1, 100]).ticks, [1, 100, 10000]);
  assert.equal(sweepScale([0, 100, 10000]).type, 'value');
});

test('an axis of ratios holds 1 and every ratio, and its ticks keep their distance', () => {
  for (const ratios of [[], [1], [0.97, 1.02], [0.5], [0.2, 3], [0.9, 2.6], [0.01, 40]])
    for (const between of [0.05, 0.1, 0.25]) {
      const { min, max, ticks } = ratioScale(ratios, between);
      const where = JSON.stringify([ratios, between, min, max, ticks]);
      assert.ok(min < 1 && max > 1 && ticks.includes(1), where);
      for (const r of ratios) assert.ok((r >= min && r <= max) || r < 1 / 16 || r > 16, where);
      for (let i = 1; i < ticks.length; i++)
        assert.ok(
          Math.log(ticks[i] / ticks[i - 1]) >= between * Math.log(max / min) * 0.999,
          where,
        );
    }
  assert.deepEqual(ratioScale([0.88, 2.1]).ticks, [1, 1.2, 1.4, 1.6, 1.8, 2]);
});

test('throughput and latency are void where the load sets the pace, and cost is not', () => {
  const entry = { regime: 'client-bound', flags: {}, trials: 6 };
  for (const key of ['completed_per_s', 'response_p99_us', 'service_p50_us', 'fairness_jain'])
    assert.equal(voided(entry, key), true, key);
  for (const key of ['host_cpu_us_per_req', 'rss_bytes_per_conn', 'connect_p99_us'])
    assert.equal(voided(entry, key), false, key);
  assert.equal(voided({ ...entry, regime: 'server-bound' }, 'completed_per_s'), false);
});

test('names at line ends keep their distance, order and place', () => {
  for (let seed = 1; seed < 200; seed++) {
    const wanted = Array.from(
      { length: 1 + (seed % 14) },
      (_, i) => (seed * (i + 3) * 7919) % 211,
    ).sort((a, b) => a - b);
    const at = spread(wanted, 13, 0, 240);
    for (let i = 1; i < at.length; i++) assert.ok(at[i] - at[i - 1] > 12.999, `${wanted}: ${at}`);
    assert.ok(at[0] >= -1e-9 && at.at(-1) <= 240 + 1e-9, `${wanted}: ${at}`);
  }
  assert.deepEqual(spread([10, 100], 13, 0, 200), [10, 100]);
});

test('numbers read as people write them', () => {
  assert.equal(show('µs', 1234), '1.23 ms');
  assert.equal(show('µs', 0.05), '50.0 ns');
  assert.equal(show('requests/s', 84120.4), '84,120');
  assert.equal(show('B', 1536), '1.50 KiB');
  assert.equal(show('', null), '–');
  assert.equal(tick('', 10000), '10k');
  assert.equal(tick('µs', 2500), '2.5 ms');
  assert.equal(showRange('µs', 4.5, 4.2, 4.9), '[4.20, 4.90]');
  assert.equal(showRange('µs', 999, 998, 1010), '[998 µs, 1.01 ms]');
});

test('CSV: quotes, line breaks and CRLF are read; formulas are defused in what is copied', () => {
  const rows = [];
  parseCsv('a,"b ""q"", c","d\ne"\r\n1,,\n', 'x.csv', (fields) => rows.push(fields));
  assert.deepEqual(rows, [
    ['a', 'b "q", c', 'd\ne'],
    ['1', '', ''],
  ]);
  assert.throws(() => parseCsv('a"b\n', 'x.csv', () => {}), Refusal);
  assert.equal(csvText([['=1+1', 'a,b', -3, null]]), '\'=1+1,"a,b",-3,\r\n');
});
