import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build } from 'vite';
import { Device, DeviceBuffer, readSegments, writeSegments } from '../../src/runtime/index.js';
import { longPlan } from './plans.js';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url).pathname;
const folder = mkdtempSync(join(root, 'build', 'runtime-test-'));
const runtime = join(folder, 'runtime.js');

/** Child processes and workers load the runtime as plain JavaScript. */
beforeAll(async () => {
  const entry = join(folder, 'entry.ts');
  writeFileSync(entry, `export * from '${root}src/runtime/index.ts'; export * from '${root}test/runtime/plans.ts';`);
  await build({
    root,
    configFile: false,
    logLevel: 'silent',
    build: { ssr: entry, outDir: folder, emptyOutDir: false, minify: false, rollupOptions: { output: { entryFileNames: 'runtime.js' } } },
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const node = (code: string, env: Record<string, string> = {}) =>
  run(
    process.execPath,
    ['--input-type=module', '-e', `import * as runtime from '${runtime}'; const { Device, longPlan } = runtime; ${code}`],
    {
      env: { ...process.env, ...env },
      timeout: 20_000,
    },
  );

const work = `const device = Device.open('cpu'); const plan = device.load(longPlan(400, 1 << 18).encode());
  const data = new Float32Array(new SharedArrayBuffer(4 << 18));
  for (let i = 0; i < 3; i++) plan.run([data]).catch(() => {});`;

test('process.exit with work in flight', async () => {
  const started = Date.now();
  await node(`${work} setTimeout(() => process.exit(0), 20);`);
  await node(`${work.replace("'cpu'", "'async'")} setTimeout(() => process.exit(0), 20);`);
  expect(Date.now() - started).toBeLessThan(15_000);
}, 40_000);

test('work in flight keeps a process alive until it has settled; an idle device does not', async () => {
  const { stdout } = await node(`const device = Device.open('cpu'); const plan = device.load(longPlan(4, 1 << 16).encode());
    plan.run([new Float32Array(1 << 16)]).then(() => console.log('settled'));`);
  expect(stdout.trim()).toBe('settled');
}, 30_000);

test('a twin that cannot be loaded says why and what to do', async () => {
  const { stdout } = await node(
    `console.log(JSON.stringify(runtime.devices()));
    try { Device.open('cpu'); } catch (error) { console.log(error.code, error.message); }`,
    { POLLUX_NATIVE_PATH: folder },
  );
  const [table, error] = stdout.trim().split('\n') as [string, string];
  expect(JSON.parse(table)).toMatchObject([
    { name: 'cpu', available: false, reason: expect.stringContaining('libpollux_cpu.so') },
    { name: 'cuda', available: false },
  ]);
  expect(error).toMatch(/^BACKEND_UNAVAILABLE .*npm run setup.*POLLUX_NATIVE_PATH/);
}, 30_000);

test('importing the runtime and its addon is quick', async () => {
  const { stdout } = await run(process.execPath, [
    '--input-type=module',
    '-e',
    `const start = performance.now();
    const { threads } = await import('${runtime}'); const imported = performance.now(); threads();
    console.log(imported - start, performance.now() - imported);`,
  ]);
  const [imported, loaded] = stdout.trim().split(' ').map(Number) as [number, number];
  console.log(`import ${imported.toFixed(1)} ms, addon ${loaded.toFixed(1)} ms`);
  expect(imported + loaded).toBeLessThan(500);
}, 30_000);

function worker(code: string): Worker {
  return new Worker(
    `import('${runtime}').then(async (runtime) => {
    const { parentPort } = require('node:worker_threads'); const { Device, longPlan, smallPlan } = runtime; ${code} });`,
    { eval: true },
  );
}

const message = (from: Worker): Promise<unknown> => new Promise((resolve, reject) => from.once('message', resolve).once('error', reject));

test('several workers at once share a device', async () => {
  const workers = Array.from({ length: 3 }, () =>
    worker(`
    const plan = Device.open('cpu').load(smallPlan(4).encode()); let sum = 0;
    for (let i = 0; i < 200; i++) sum += new Float32Array((await plan.run([new Float32Array([i, 0, 0, 0])], { inline: i % 2 === 0 })).results[0])[0];
    parentPort.postMessage(sum);`),
  );
  const sums = await Promise.all(workers.map(message));
  const expected = Array.from({ length: 200 }, (_, i) => i * (i + 1)).reduce((a, b) => a + b, 0);
  expect(sums).toEqual([expected, expected, expected]);
  await Promise.all(workers.map((one) => one.terminate()));
}, 30_000);

test('a worker terminated in mid-step leaves the device to the others', async () => {
  const device = Device.open('cpu');
  const mine = device.load(longPlan(8, 1 << 14).encode());
  const before = device.memory().live;
  for (let round = 0; round < 3; round++) {
    const victim =
      worker(`${work.replace("const device = Device.open('cpu');", "const device = Device.open('cpu'); device.allocate(1 << 20);")}
      parentPort.postMessage('started');`);
    await message(victim);
    const running = mine.run([new Float32Array(1 << 14)]);
    await victim.terminate();
    ((await running).results[0] as DeviceBuffer).dispose();
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  await device.allocate(4).read(); // behind the clean-up of the workers' plans
  expect(device.memory().live - before).toBeLessThan(1 << 20);
  mine.dispose();
}, 60_000);

test('a result of a worker outlives it, as a ticket', async () => {
  const maker = worker(`const buffer = Device.open('cpu').upload(new Float32Array([3, 4])); parentPort.postMessage(buffer.share());`);
  const id = (await message(maker)) as bigint;
  await maker.terminate();
  using buffer = DeviceBuffer.receive(id);
  expect([...new Float32Array(await buffer.read())]).toEqual([3, 4]);
}, 30_000);

test.each(['cpu', 'async'])('files of tensors on %s hold one moment', async (name) => {
  const device = Device.open(name);
  const path = join(mkdtempSync(join(tmpdir(), 'pollux-')), 'tensors.bin');
  using buffer = device.upload(new Float32Array(1 << 16).fill(1));
  const writing = writeSegments(path, [new Uint8Array([1, 2, 3, 4]), buffer, new Uint8Array(0), buffer], { fsync: true });
  await buffer.write(new Float32Array(1 << 16).fill(2));
  await writing;
  const [head, last] = await readSegments(path, [
    { position: 0, bytes: 4 },
    { position: 4 + 8 * (1 << 16) - 8, bytes: 8 },
  ]);
  expect([...new Uint8Array(head!)]).toEqual([1, 2, 3, 4]);
  expect([...new Float32Array(last!)]).toEqual([1, 1]);
  await expect(readSegments(path, [{ position: 0, bytes: 2 ** 40 }])).rejects.toMatchObject({ code: 'IO_FAILED' });
  await expect(readSegments(`${path}.missing`, [])).rejects.toMatchObject({ code: 'IO_FAILED' });
  await expect(writeSegments('/dev/full', [buffer])).rejects.toMatchObject({
    code: 'IO_FAILED',
    message: expect.stringContaining('No space left'),
  });
  await expect(writeSegments(join(path, 'no'), [buffer])).rejects.toMatchObject({ code: 'IO_FAILED' });
});
