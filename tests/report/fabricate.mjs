// fabricate.mjs: writes run directories that no benchmark would: hostile names, one trial, a
// thousand cells, empty and broken files. Real figures come from real runs (realRun in
// support.mjs).
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { PROVEN_KEYS, verdict } from '../../scripts/report/words.mjs';

export const COLUMNS = (
  'schema_version,run_id,experiment,cell_id,block,trial,backend,label,params,transport,workers,threads,mode,loop,' +
  'arrival,connections,idle_connections,payload_bytes,depth,offered_per_s,duration_s,established,sent,completed,completed_per_s,' +
  'bytes_per_s,in_flight_end,errors_connect,errors_reset,errors_timeout,errors_mismatch,errors_closed,response_p50_us,' +
  'response_p90_us,response_p95_us,response_p99_us,response_p999_us,response_max_us,service_p50_us,service_p99_us,service_p999_us,' +
  'slip_p99_us,connect_p50_us,connect_p99_us,connect_max_us,server_user_us_per_req,server_system_us_per_req,server_cpu_us_per_req,' +
  'server_cores_used,client_cpu_us_per_req,client_cores_used,syscalls_per_req,context_switches_per_req,events_per_wait,' +
  'rss_bytes_per_conn,kernel_bytes_per_conn,fairness_jain,never_served,floor_us,floor_ratio,tcp_retransmits,listen_overflows,' +
  'steal_pct,status,flags,cpu_pressure_pct,connections_per_worker,worker_balance_jain,task_bytes_per_conn,' +
  'datagrams_lost,datagrams_reordered,datagrams_duplicated,datagrams_late,host_cpu_us_per_req,held,slices,rounds,' +
  'others_cores_used,capacity_per_s,work_us_per_req,idle_held,connecting_s,closing_s,client_rss_bytes_per_conn'
).split(',');
const SUMMARY = (
  'cell_id,label,metric,n,median,low,high,baseline,ratio,ratio_low,ratio_high,p_holm,verdict,noise,rank_low,rank_high,' +
  'p_adjusted,detectable,best,regime'
).split(',');
const SUMMED = [
  'host_cpu_us_per_req',
  'server_cpu_us_per_req',
  'client_cpu_us_per_req',
  'completed_per_s',
  'server_user_us_per_req',
  'server_system_us_per_req',
  'response_p50_us',
  'response_p99_us',
  'response_p999_us',
  'syscalls_per_req',
  'context_switches_per_req',
  'rss_bytes_per_conn',
  'kernel_bytes_per_conn',
  'fairness_jain',
];

const field = (v) =>
  v === undefined || v === null
    ? ''
    : /[",\r\n]/.test(String(v))
      ? `"${String(v).replaceAll('"', '""')}"`
      : String(v);
export const csv = (rows) => rows.map((row) => row.map(field).join(',')).join('\r\n') + '\r\n';

// A small generator of its own, so that the files are the same every time.
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
const proven = (style) => PROVEN_KEYS.find((key) => verdict(key).style === style);
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

function trial(dice, weight, p) {
  const load = Math.log10(p.connections + 1);
  const noise = () => 0.97 + 0.06 * dice();
  const cpu = (1.9 + 0.7 * load) * weight * noise();
  const client = (2.4 + 0.3 * load) * noise();
  const p50 =
    p.loop === 'open' ? 30 * weight * noise() : 8 * p.connections * 0.6 * weight * noise() + 20;
  return {
    completed_per_s:
      (p.loop === 'open' ? p.offered_per_s : 95000 / weight / (1 + 0.1 * load)) * noise(),
    host_cpu_us_per_req: cpu + client,
    server_cpu_us_per_req: cpu,
    client_cpu_us_per_req: client,
    server_user_us_per_req: cpu * 0.22,
    server_system_us_per_req: cpu * 0.78,
    response_p50_us: p50,
    response_p99_us: p50 * 2.4 * noise(),
    response_p999_us: p50 * 5 * noise(),
    syscalls_per_req: 2 + weight * noise(),
    context_switches_per_req: 0.4 * noise(),
    rss_bytes_per_conn: 900 * weight * noise(),
    kernel_bytes_per_conn: 5200 * noise(),
    fairness_jain: 1 - 0.02 * dice(),
    floor_us: 1.9 + 0.4 * load,
  };
}

// The rows of summary.csv for one cell. The intervals are the plain range of the blocks: these
// files are for the look and the limits of the report, the statistics are bench/results/'s.
function summarise(id, baseline, measured, blocks) {
  const rows = [];
  for (const key of SUMMED) {
    const less = !/completed|fairness/.test(key);
    const found = [...measured].map(([label, list]) => {
      const values = list.map((m) => m[key]);
      const base = measured.get(baseline)?.map((m) => m[key]);
      const ratios = base ? values.map((v, i) => v / base[i]) : [1];
      const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
      const level = low > 1 / 1.05 && high < 1.05 ? 'equivalent' : 'undecided';
      const word = low <= 1 && high >= 1 ? level : proven(high < 1 === less ? 'better' : 'worse');
      return {
        label,
        values,
        ratio: median(ratios),
        low,
        high,
        verdict: label === baseline ? 'baseline' : word,
      };
    });
    const beyond = (a, b) => (less ? a.high < b.low : a.low > b.high);
    for (const f of found) {
      const sure = blocks >= 6;
      const compared = sure && f.label !== baseline;
      const beaten = found.filter((o) => beyond(o, f)).length;
      const beats = found.filter((o) => beyond(f, o)).length;
      rows.push([
        id,
        f.label,
        key,
        f.values.length,
        median(f.values),
        sure ? Math.min(...f.values) : '',
        sure ? Math.max(...f.values) : '',
        baseline,
        f.label === baseline ? '' : f.ratio,
        compared ? f.low : '',
        compared ? f.high : '',
        '',
        sure || f.label === baseline ? f.verdict : '',
        sure ? 0.043 : '',
        sure ? 1 + beaten : '',
        sure ? found.length - beats : '',
        compared ? 0.01 : '',
        compared ? 0.051 : '',
        sure ? (beaten === 0 ? 'yes' : 'no') : '',
        'mixed',
      ]);
    }
  }
  return rows;
}

// backends: [[label, backend, weight]], the first one is the baseline. cells: [parameters].
export function fabricate(
  dir,
  { backends, cells, blocks = 8, question = 'Which one?', seed = 1, refuse = () => null },
) {
  mkdirSync(dir, { recursive: true });
  const dice = random(seed);
  const rows = [];
  const summary = [];
  const percentiles = [];
  let count = 0;
  cells.forEach((cell, c) => {
    const p = {
      transport: 'tcp',
      workers: 1,
      threads: 1,
      mode: 'echo',
      loop: 'closed',
      connections: 1,
      idle_connections: 0,
      payload_bytes: 64,
      depth: 1,
      ...cell,
    };
    const id = `c${c}`;
    const measured = new Map();
    for (let block = 1; block <= blocks; block++)
      for (const [label, backend, weight] of backends) {
        const why = refuse(label, p);
        const m = why ? {} : trial(dice, weight, p);
        if (!why) measured.set(label, [...(measured.get(label) ?? []), m]);
        const row = {
          schema_version: 1,
          run_id: 'fabricated',
          experiment: 'x',
          cell_id: id,
          block,
          trial: ++count,
          backend,
          label,
          params: '',
          duration_s: 1,
          ...p,
          ...m,
          status: why ? 'skipped' : 'ok',
          flags: '',
        };
        rows.push(COLUMNS.map((column) => row[column]));
      }
    summary.push(...summarise(id, backends[0][0], measured, blocks));
    for (const [label, list] of measured)
      for (const q of [1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100])
        percentiles.push([
          id,
          label,
          q,
          median(list.map((m) => m.response_p50_us)) *
            (0.6 + (q / 100) ** 2 + 0.9 * Math.log10(1 / (1.00001 - q / 100))),
          Math.round(40000 * (q / 100)),
        ]);
  });
  writeFileSync(join(dir, 'measurements.csv'), csv([COLUMNS, ...rows]));
  writeFileSync(join(dir, 'summary.csv'), csv([SUMMARY, ...summary]));
  writeFileSync(
    join(dir, 'percentiles.csv'),
    csv([['cell_id', 'label', 'percentile', 'value_us', 'count'], ...percentiles]),
  );
  writeFileSync(
    join(dir, 'run.json'),
    JSON.stringify({
      schema_version: 1,
      status: 'finished',
      argv: ['muxbench', 'run', 'x.cfg'],
      seed: 1,
      answer: cells.map((_, c) => `c${c}: take one of them.`),
    }),
  );
  writeFileSync(
    join(dir, 'effective.json'),
    JSON.stringify({
      question,
      objective: 'server_cpu_us_per_req',
      baseline: backends[0][0],
      method: 'fresh',
      margin: '5%',
      name: 'x',
    }),
  );
  return dir;
}

// Two backends at two points.
export const small = (dir, extra = {}) =>
  fabricate(dir, {
    backends: [
      ['a', 'poll', 1.2],
      ['b', 'epoll-lt', 1],
    ],
    cells: [{ connections: 1 }, { connections: 100 }],
    ...extra,
  });

export const THIRTEEN = [
  ['poll', 'poll', 1.3],
  ['poll-twin', 'poll', 1.3],
  ['select', 'select', 1.34],
  ['epoll-lt', 'epoll-lt', 1.02],
  ['epoll-et', 'epoll-et', 1],
  ['epoll-oneshot', 'epoll-oneshot', 1.12],
  ['spin', 'spin', 1.6],
  ['threads', 'threads', 1.7],
  ['prefork', 'prefork', 1.9],
  ['libevent', 'libevent', 1.25],
  ['libev', 'libev', 1.1],
  ['libuv', 'libuv', 1.27],
  ['io-uring', 'io-uring', 0.93],
];
export function large(dir) {
  const counts = [1, 10, 100, 1000, 10000];
  return fabricate(dir, {
    backends: THIRTEEN,
    question: 'Which way to wait costs least at 1 to 10,000 connections?',
    cells: [
      ...counts.map((connections) => ({ connections })),
      ...counts.map((connections) => ({
        connections,
        loop: 'open',
        arrival: 'poisson',
        offered_per_s: 20000,
      })),
    ],
    refuse: (label, p) => (label === 'select' && p.connections > 1000 ? 'above its limit' : null),
  });
}
