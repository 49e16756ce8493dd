import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { latestCheckpoint, loadCheckpoint } from '../../src/io/index.js';

/** Saves checkpoints of 4 MB as fast as it can, each filled with its step, and tells each one that was promised. */
const writer = (source: string) => `
  import { saveCheckpoint } from ${JSON.stringify(source)};
  const state = { package: '0', instructionSet: 'x', seed: 0, epoch: 0, loader: { seed: 0, epoch: 0, position: 0 }, scheduleStep: 0 };
  for (let step = 1; ; step++) {
    const tensors = new Map([['w', { dtype: 'float32', shape: [2 ** 19], data: new Float32Array(2 ** 19).fill(step) }]]);
    await saveCheckpoint(process.argv[2], { step, model: tensors, optimizer: tensors, state }, { keep: 2 });
    console.log(step);
  }`;

it('a kill at any time leaves the last promised checkpoint, or a newer one, sound', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pollux-kill-'));
  try {
    const script = join(folder, 'writer.mjs');
    await writeFile(script, writer(pathToFileURL('src/io/checkpoint.ts').href));
    for (const delay of [3, 11, 24, 40, 61]) {
      const run = join(folder, `run-${delay}`);
      const child = spawn(process.execPath, ['--import', './scripts/typescript.js', script, run], { stdio: ['ignore', 'pipe', 'inherit'] });
      let promised = 0;
      child.stdout.on('data', (text: Buffer) => {
        promised = Math.max(promised, ...String(text).trim().split('\n').map(Number));
      });
      await once(child.stdout, 'data');
      await new Promise((done) => setTimeout(done, delay));
      child.kill('SIGKILL');
      await once(child, 'close');
      const latest = (await latestCheckpoint(run))!;
      expect(latest.skipped).toEqual([]);
      expect(latest.step).toBeGreaterThanOrEqual(promised);
      const { model } = await loadCheckpoint(latest.path);
      expect((model.get('w')!.data as Float32Array).every((value) => value === latest.step)).toBe(true);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}, 60_000);
