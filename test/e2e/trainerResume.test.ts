import { spawn } from 'node:child_process';
import { readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { child, root, temporaryFolder } from './support.js';

const folder = temporaryFolder();
const epochs = '6';
const last = (text: string): string => text.trim().split('\n').at(-1)!;

let whole: Promise<string> | undefined;
/** The last line of the run that nobody disturbs. */
const uninterrupted = (): Promise<string> =>
  (whole ??= child('program.ts', { args: ['-', epochs, '1'] }).then(({ status, stdout, stderr }) => {
    expect(status, stderr).toBe(0);
    return last(stdout);
  }));

/** Starts the program and kills it as soon as it has printed the line of a step. Resolves to what it printed. */
function killedAfter(step: number, args: string[], wait: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, ['--import', './scripts/typescript.js', 'test/e2e/program.ts', ...args], { cwd: root });
    let text = '';
    process_.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes(`step ${step} `)) setTimeout(() => process_.kill('SIGKILL'), wait);
    });
    process_.on('error', reject);
    process_.on('exit', (_, signal) => (signal === 'SIGKILL' ? resolve(text) : reject(new Error(`ended before step ${step}: ${text}`))));
  });
}

it('killed at random steps and resumed each time, a run ends with the bits of the uninterrupted one', async () => {
  const checkpoints = join(folder, 'killed');
  const steps: number[] = [];
  // From step 4 on: the checkpoint of step 3 is whole before the next step prints its line.
  for (let step = 4 + Math.floor(Math.random() * 8); step < 30; step += 4 + Math.floor(Math.random() * 10)) steps.push(step);
  console.log(`killed after the steps ${steps.join(', ')}`);
  for (const [i, step] of steps.entries()) {
    const text = await killedAfter(step, [checkpoints, epochs, '3', i ? 'resume' : 'new'], Math.random() * 5);
    if (i) expect(text).toMatch(/^resumed \d+/m);
  }
  const { status, stdout, stderr } = await child('program.ts', { args: [checkpoints, epochs, '3', 'resume'] });
  expect(status, stderr).toBe(0);
  expect(last(stdout)).toBe(await uninterrupted());
});

it('a checkpoint cut short is passed over: the one before is used, with the same bits', async () => {
  const checkpoints = join(folder, 'cut');
  await killedAfter(20, [checkpoints, epochs, '4', 'new'], 0);
  const newest = readdirSync(checkpoints)
    .filter((name) => /^step-\d+$/.test(name))
    .sort()
    .at(-1)!;
  truncateSync(join(checkpoints, newest, 'model.safetensors'), 700);
  const { status, stdout, stderr } = await child('program.ts', { args: [checkpoints, epochs, '4', 'resume'] });
  expect(status, stderr).toBe(0);
  expect(Number(/^resumed (\d+)/m.exec(stdout)![1])).toBe(Number(newest.slice(5)) - 4);
  expect(last(stdout)).toBe(await uninterrupted());
});

it('with no sound checkpoint left, resuming is refused', async () => {
  const checkpoints = join(folder, 'broken');
  await killedAfter(5, [checkpoints, epochs, '4', 'new'], 0);
  for (const name of readdirSync(checkpoints)) if (/^step-\d+$/.test(name)) truncateSync(join(checkpoints, name, 'state.json'), 20);
  const { status, stderr } = await child('program.ts', { args: [checkpoints, epochs, '4', 'resume'] });
  expect(status).not.toBe(0);
  expect(stderr).toContain('CHECKPOINT_CORRUPT');
});

it.each(['1', '2', '5'])('on %s threads the run has the same bits', async (threads) => {
  const { status, stdout, stderr } = await child('program.ts', { args: ['-', epochs, '1'], env: { POLLUX_THREADS: threads } });
  expect(status, stderr).toBe(0);
  expect(last(stdout)).toBe(await uninterrupted());
});
