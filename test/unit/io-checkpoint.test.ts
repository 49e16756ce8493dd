import { appendFile, mkdir, mkdtemp, readFile, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { HostArray } from '../../src/tensor/hostArray.js';
import { latestCheckpoint, loadCheckpoint, saveCheckpoint } from '../../src/io/index.js';
import type { RunState } from '../../src/io/index.js';

const folders: string[] = [];
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pollux-checkpoint-'));
  folders.push(folder);
});
afterAll(() => Promise.all(folders.map((made) => rm(made, { recursive: true }))));

const state: RunState = {
  package: '0.1.0',
  instructionSet: 'avx512',
  seed: 7,
  epoch: 1,
  loader: { seed: 7, epoch: 1, position: 640 },
  scheduleStep: 5,
  extra: { best: 0.98, note: null },
};
const weights = (step: number): Map<string, HostArray> =>
  new Map([['w', { dtype: 'float32', shape: [2], data: Float32Array.of(step, -step) }]]);
const save = (step: number, options = {}) =>
  saveCheckpoint(folder, { step, model: weights(step), optimizer: weights(step + 0.5), state: { ...state, scheduleStep: step } }, options);
const names = async (): Promise<string[]> => (await readdir(folder)).sort();

describe('checkpoints', () => {
  it('load what was saved', async () => {
    const { path } = await save(1200);
    expect(path).toBe(join(folder, 'step-00001200'));
    expect((await readdir(path)).sort()).toEqual(['model.safetensors', 'optimizer.safetensors', 'state.json']);
    const { step, model, optimizer, state: loaded } = await loadCheckpoint(path);
    expect([step, model.get('w')!.data[0], optimizer.get('w')!.data[1]]).toEqual([1200, 1200, -1200.5]);
    expect(loaded).toEqual({ ...state, scheduleStep: 1200 });
  });

  it('latest is the newest, and nothing for a new folder', async () => {
    expect(await latestCheckpoint(join(folder, 'absent'))).toBeUndefined();
    expect(await latestCheckpoint(folder)).toBeUndefined();
    for (const step of [3, 20, 100]) await save(step);
    expect(await latestCheckpoint(folder)).toMatchObject({ step: 100, skipped: [] });
  });

  it.each<[string, (path: string) => Promise<void>, RegExp]>([
    ['a missing manifest', (path) => rm(join(path, 'state.json')), /state.json is missing/],
    ['a cut manifest', (path) => truncate(join(path, 'state.json'), 40), /not JSON/],
    ['an empty manifest', (path) => truncate(join(path, 'state.json'), 0), /not JSON/],
    [
      'a changed digit',
      async (path) => {
        const file = join(path, 'state.json');
        await writeFile(file, (await readFile(file, 'utf8')).replace('640', '641'));
      },
      /changed after it was written/,
    ],
    ['a missing model', (path) => rm(join(path, 'model.safetensors')), /model.safetensors is missing/],
    [
      'a cut optimizer',
      (path) => truncate(join(path, 'optimizer.safetensors'), 100),
      /optimizer.safetensors has 100 bytes, \d+ were written/,
    ],
    ['a longer model', (path) => appendFile(join(path, 'model.safetensors'), 'x'), /model.safetensors has/],
    [
      'a flipped bit',
      async (path) => {
        const file = join(path, 'model.safetensors');
        const bytes = await readFile(file);
        bytes[bytes.length - 1]! ^= 1;
        await writeFile(file, bytes);
      },
      /bytes of model.safetensors have changed/,
    ],
    ['a null manifest', (path) => writeFile(join(path, 'state.json'), 'null'), /not a checkpoint's/],
  ])('skip and report %s', async (_, damage, reason) => {
    await save(1);
    const { path } = await save(2);
    await damage(path);
    const latest = await latestCheckpoint(folder);
    expect(latest).toMatchObject({ step: 1, skipped: [{ path, reason: expect.stringMatching(reason) }] });
    await expect(loadCheckpoint(path)).rejects.toMatchObject({ code: 'CHECKPOINT_CORRUPT' });
    await damage(join(folder, 'step-00000001'));
    await expect(latestCheckpoint(folder)).rejects.toMatchObject({
      code: 'CHECKPOINT_CORRUPT',
      message: expect.stringContaining('step-00000001'),
    });
  });

  it('refuse a later format', async () => {
    const { path } = await save(1);
    const file = join(path, 'state.json');
    await writeFile(file, (await readFile(file, 'utf8')).replace('"version": 1', '"version": 2'));
    await expect(loadCheckpoint(path)).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('version 2') });
  });

  it('keep the last n that are whole, and never the new one less', async () => {
    for (const step of [1, 2, 3, 4]) await save(step);
    await rm(join(folder, 'step-00000003', 'state.json'));
    await mkdir(join(folder, `.step-00000002.${hostname()}.999999999.0a0b0c0d.tmp`));
    await mkdir(join(folder, `.step-00000002.${hostname()}.${process.pid}.0a0b0c0d.tmp`));
    await save(9);
    // Step 5 comes after a resume from 4: step 9 belongs to the run that broke off.
    await save(5, { keep: 3 });
    expect((await names()).filter((name) => name.startsWith('step'))).toEqual([
      'step-00000002',
      'step-00000004',
      'step-00000005',
      'step-00000009',
    ]);
    expect((await names()).filter((name) => name.startsWith('.'))).toEqual([`.step-00000002.${hostname()}.${process.pid}.0a0b0c0d.tmp`]);
  });

  it('replace a checkpoint of the same step', async () => {
    await save(8);
    await saveCheckpoint(folder, { step: 8, model: weights(80), optimizer: weights(0), state });
    expect((await loadCheckpoint(join(folder, 'step-00000008'))).model.get('w')!.data[0]).toBe(80);
    expect(await names()).toEqual(['step-00000008']);
  });

  it('leave nothing behind when saving fails', async () => {
    await save(1);
    await expect(save(2, { signal: AbortSignal.abort('stop') })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await names()).toEqual(['step-00000001']);
    await writeFile(join(folder, 'file'), '');
    await expect(saveCheckpoint(join(folder, 'file'), { step: 1, model: weights(1), optimizer: weights(1), state })).rejects.toMatchObject({
      code: 'IO_FAILED',
    });
    await expect(
      saveCheckpoint(folder, { step: 2, model: weights(1), optimizer: weights(1), state: { ...state, extra: { best: Infinity } } }),
    ).rejects.toThrow(/state.extra.best is Infinity/);
    await expect(save(-1)).rejects.toThrow(RangeError);
    await expect(save(2, { keep: 0 })).rejects.toThrow(RangeError);
    await expect(save(2, { kep: 2 })).rejects.toThrow(/did you mean "keep"/);
  });

  it('ignore what a kill in mid-write leaves: the name comes last', async () => {
    await save(1);
    const { path } = await save(2);
    await rename(path, join(folder, '.step-00000002.host.1.00000000.tmp'));
    expect(await latestCheckpoint(folder)).toMatchObject({ step: 1, skipped: [] });
  });
});
