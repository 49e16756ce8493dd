/** `npm run bench [-- NAME...] [--peers] [--json FILE]`: runs the programs of each workload in turn and prints one table. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { floor } from './floors.js';
import { findPeer } from './peers.js';
import { type Command, Program } from './program.js';
import type { Precision } from './serve.js';
import { median, quantile } from './statistics.js';
import { type Workload, workloads } from './workloads.js';

interface Row {
  workload: string;
  precision: Precision;
  program: string;
  medianMs: number;
  p10Ms: number;
  p90Ms: number;
  p99Ms: number;
  /** This program's median over Pollux's: 3 is three times as long. */
  ratio: number | null;
  steps: number;
  title: string;
}

const rounds = 5;
const turnMs = 1000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { peers: { type: 'boolean', default: false }, json: { type: 'string' } },
});

/** `overhead` selects every workload under it. */
function selected(): Workload[] {
  const known = [...new Set(workloads.map(({ name }) => name.split('/')[0]!))];
  for (const name of positionals) {
    if (known.includes(name) || workloads.some((workload) => workload.name === name)) continue;
    console.error(`There is no workload "${name}". Workloads: ${known.join(', ')}.`);
    process.exit(1);
  }
  const wanted = (name: string) => positionals.length === 0 || positionals.some((p) => name === p || name.startsWith(`${p}/`));
  return workloads.filter(({ name }) => wanted(name));
}

/** The commands of a workload, Pollux first; peers that are missing are named. */
function commandsOf(workload: Workload): Command[] {
  const commands = [workload.pollux];
  for (const name of values.peers ? workload.peers : []) {
    const peer = findPeer(name);
    if (typeof peer === 'string') console.log(`  ${name}: ${peer}`);
    else commands.push(peer);
  }
  const bound = workload.floor && floor(workload.floor);
  return bound ? [...commands, bound] : commands;
}

/** Steps of one turn: as many as fill it, and at least two, so that ten are measured; one where a step takes very long. */
async function stepsPerTurn(program: Program): Promise<number> {
  const [first] = await program.run(1);
  if (first! > 10 * turnMs) return 1;
  const start = performance.now(); // by the clock: a program that times itself may take far longer than it says
  await program.run(3);
  return Math.max(2, Math.min(1000, Math.round((3 * turnMs) / (performance.now() - start))));
}

/** Starts the programs and warms them up. Those that cannot run are named, with the reason. */
async function start(workload: Workload, precision: Precision): Promise<Map<Program, number>> {
  const steps = new Map<Program, number>();
  for (const command of commandsOf(workload)) {
    try {
      const program = await Program.start(command, workload.name, precision);
      steps.set(program, await stepsPerTurn(program));
    } catch (error) {
      console.log(`  ${command.program}: ${(error as Error).message}`);
    }
  }
  return steps;
}

/** Runs the programs in turn: A B A B, so that whatever else the machine does falls on all of them. */
async function race(steps: ReadonlyMap<Program, number>): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const [program, count] of steps) program.record(await program.run(count));
  }
}

async function measure(workload: Workload, precision: Precision): Promise<Row[]> {
  console.log(`\n${workload.name} ${precision}: ${workload.what}`);
  const steps = await start(workload, precision);
  const programs = [...steps.keys()];
  try {
    await race(steps);
  } finally {
    for (const program of programs) program.stop();
  }
  const own = programs.find(({ name }) => name === 'pollux');
  return programs.map(({ name, title, ms }) => ({
    workload: workload.name,
    precision,
    program: name,
    medianMs: median(ms),
    p10Ms: quantile(ms, 0.1),
    p90Ms: quantile(ms, 0.9),
    p99Ms: quantile(ms, 0.99),
    ratio: own ? median(ms) / median(own.ms) : null,
    steps: ms.length,
    title,
  }));
}

function print(rows: readonly Row[]): void {
  const figure = (ms: number) => ms.toPrecision(3).padStart(9);
  console.log(
    `  ${'program'.padEnd(10)}${['median', 'p10', 'p90', 'p99'].map((name) => `${name} ms`.padStart(9)).join('')}    ratio  steps`,
  );
  for (const row of rows) {
    const times = [row.medianMs, row.p10Ms, row.p90Ms, row.p99Ms].map(figure).join('');
    const ratio = (row.ratio === null ? '-' : row.ratio.toFixed(2)).padStart(9);
    console.log(`  ${row.program.padEnd(10)}${times}${ratio}${String(row.steps).padStart(7)}  ${row.title}`);
  }
}

const table: Row[] = [];
for (const workload of selected()) {
  for (const precision of workload.precisions) {
    const rows = await measure(workload, precision);
    if (rows.length > 0) print(rows);
    table.push(...rows);
  }
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(table, null, 2)}\n`);
if (!table.some(({ program }) => program === 'pollux')) process.exitCode = 1;
