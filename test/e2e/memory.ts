// Trains a small model for 10,000 steps and measures: prints one JSON line. Run with --expose-gc.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { compile, losses, memory, nn, optim, seed, type Tensor } from '../../src/index.js';

const collect = (globalThis as unknown as { gc(): void }).gc;
/** Finalizers run in later turns. */
async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    collect();
    await sleep(5);
  }
}

/** 99th percentile of the event loop's delay in milliseconds while `work` runs. */
async function delay(work: () => Promise<void>): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await work();
  histogram.disable();
  return histogram.percentile(99) / 1e6;
}

seed(1);
const model = new nn.Sequential(new nn.Linear(64, 64), nn.relu, new nn.Dropout(0.1), new nn.Linear(64, 10));
const optimizer = optim.adam().for(model);
const step = compile({ state: [model, optimizer] }, (x: Tensor, y: Tensor) => {
  const logits = model.forward(x);
  const loss = losses.crossEntropy(logits, y);
  void optimizer.minimize(loss);
  return { loss, logits };
});
const x = { data: Float32Array.from({ length: 64 * 128 }, (_, i) => Math.sin(i)), shape: [128, 64] };
const y = { data: Int32Array.from({ length: 128 }, (_, i) => i % 10), shape: [128] };

const live: Record<number, number> = {};
let lowest = Infinity;
let highest = 0;
async function train(from: number, to: number): Promise<void> {
  for (let i = from; i <= to; i++) {
    const { loss } = await step(x, y);
    if (!(loss.item() < 100)) throw new Error(`loss ${loss.item()}`);
    if (i === 1000 || i === 10_000) {
      await settle();
      live[i] = memory().live;
    }
    if (i >= 2000 && i % 500 === 0) {
      await settle();
      const { rss } = process.memoryUsage();
      lowest = Math.min(lowest, rss);
      highest = Math.max(highest, rss);
    }
  }
}
await train(1, 10);
const idle = await delay(() => sleep(1500));
const busy = await delay(() => train(11, 990));
await train(991, 10_000);
console.log(JSON.stringify({ live, residentGrowth: highest - lowest, idle, busy }));
