import * as losses from '../losses/index.js';
import { articleCnn } from '../models/index.js';
import * as nn from '../nn/index.js';
import * as optim from '../optim/index.js';
import { compile, seed, type Tensor, tensor, zeros } from '../tensor/index.js';
import type { Output } from './program.js';

/** One line of the table: times of a step, in milliseconds. */
interface Measured {
  readonly workload: string;
  readonly medianMs: number;
  readonly p90Ms: number;
  readonly note: string;
}

const warmUp = 5;
const leastSteps = 20;
const budgetMs = 1500;

/** Runs a step until its time is well known. */
async function measure(workload: string, step: () => Promise<unknown>, note: (medianMs: number) => string): Promise<Measured> {
  for (let i = 0; i < warmUp; i++) await step();
  const times: number[] = [];
  for (const begin = performance.now(); times.length < leastSteps || performance.now() - begin < budgetMs; ) {
    const start = performance.now();
    await step();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))]!;
  return { workload, medianMs: at(0.5), p90Ms: at(0.9), note: note(at(0.5)) };
}

/** The articles' CNN, batch 128, with Adam. */
function trainingStep(): Promise<Measured> {
  const batch = 128;
  const model = articleCnn();
  const optimizer = optim.adam().for(model);
  const step = compile({ state: [model, optimizer] }, (x: Tensor, y: Tensor) => {
    const loss = losses.crossEntropy(model.forward(x), y);
    void optimizer.minimize(loss);
    return loss;
  });
  const x = tensor({ data: Float32Array.from({ length: batch * 784 }, (_, i) => Math.abs(Math.sin(i))), shape: [batch, 28, 28, 1] });
  const y = tensor({ data: Int32Array.from({ length: batch }, (_, i) => i % 10), shape: [batch], dtype: 'int32' });
  return measure(
    'mnist-cnn',
    () => step(x, y),
    (ms) => `${Math.round((batch * 1000) / ms).toLocaleString('en-US')} images/s`,
  );
}

/** AdamW over ten million parameters: 28 bytes each. */
function optimizerStep(): Promise<Measured> {
  const size = 10_000_000;
  class Flat extends nn.Module {
    readonly weight = new nn.Parameter([size], nn.init.zeros);
    forward(): Tensor {
      return this.weight;
    }
  }
  const model = new Flat();
  const optimizer = optim.adamW().for(model);
  const gradient = zeros([size]);
  const step = compile({ state: [model, optimizer] }, (g: Tensor) => {
    void optimizer.apply([g]);
    return {};
  });
  return measure(
    'optimizer',
    async () => step(await gradient.evaluate()),
    (ms) => `${((size * 28) / ms / 1e6).toFixed(1)} GB/s`,
  );
}

/** What a call costs when there is almost nothing to compute. */
function smallPlan(): Promise<Measured> {
  const add = compile((x: Tensor) => x.add(1).relu());
  const x = tensor({ data: new Float32Array(16), shape: [16] });
  return measure(
    'two-op plan',
    () => add(x),
    (ms) => `${(ms * 1000).toFixed(1)} us a call`,
  );
}

/** Measures this machine and prints a table. `npm run bench` in the repository measures more, beside other programs. */
export async function runBench({ out }: Output): Promise<void> {
  seed(0);
  const rows = [await trainingStep(), await optimizerStep(), await smallPlan()];
  out(`${'workload'.padEnd(14)}${'median ms'.padStart(11)}${'p90 ms'.padStart(11)}\n`);
  for (const { workload, medianMs, p90Ms, note } of rows) {
    out(`${workload.padEnd(14)}${medianMs.toPrecision(3).padStart(11)}${p90Ms.toPrecision(3).padStart(11)}   ${note}\n`);
  }
}
