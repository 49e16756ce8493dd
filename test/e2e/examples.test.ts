import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { root, temporaryFolder } from './support.js';

const folder = temporaryFolder();
const run = async (name: string, ...args: string[]): Promise<string> => {
  const loader = new URL('../../scripts/typescript.js', import.meta.url).href;
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', loader, join(root, 'examples', `${name}.ts`), ...args],
    {
      cwd: folder,
      timeout: 120_000,
    },
  );
  return stdout + stderr;
};

it('ten-lines trains, evaluates and saves', async () => {
  expect(await run('ten-lines', '1', '2560')).toMatch(/\{ loss: \d\.\d+, accuracy: 0\.[5-9]\d* \}/);
  expect(existsSync(join(folder, 'mnist.safetensors'))).toBe(true);
});

it('own-loop prints what it says', async () => {
  const lines = (await run('own-loop', '20')).split('\n');
  expect(lines.slice(0, 2)).toEqual(['[ [ 6, 12 ], [ 12, 26 ] ]', '[ [ 2, 4 ], [ 6, 8 ] ]']);
  const losses = lines.slice(2, 22).map(Number);
  expect(losses.every(Number.isFinite)).toBe(true);
  expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]!);
  expect(lines.slice(22).join('\n')).toContain('crossEntropy');
});

it('own-layer finds its parameters and learns', async () => {
  const output = await run('own-layer', '15');
  for (const path of ['0.weight', '1.first.weight', '1.norm.bias', '2.first.bias', '4.weight']) expect(output).toContain(`'${path}'`);
  const losses = output
    .split('\n')
    .map(Number)
    .filter((x) => x > 0);
  expect(losses).toHaveLength(15);
  expect(losses.every(Number.isFinite)).toBe(true);
});

it.each(['mnist-softmax', 'mnist-dense128', 'mnist-functional'])('%s trains on MNIST', async (name) => {
  const output = await run(name, '1', '2560');
  expect(output).toContain('epoch 1/1');
  expect(Number(/Test accuracy: (.*)/.exec(output)![1])).toBeGreaterThan(0.5);
});

it('text-classification learns from reviews', async () => {
  const epochs = (await run('text-classification', '3', '600')).trim().split('\n');
  const losses = epochs.filter((line) => /^\d /.test(line)).map((line) => Number(line.split(' ')[1]));
  expect(losses).toHaveLength(3);
  expect(losses[2]).toBeLessThan(0.9 * losses[0]!);
});

it('gan moves what it makes to where the data are', async () => {
  const lines = (await run('gan', '750')).trim().split('\n');
  expect(lines).toHaveLength(3);
  expect(Math.abs(Number(/mean (.*) of/.exec(lines[2]!)![1]) - 2)).toBeLessThan(0.8);
});
