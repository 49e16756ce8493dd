import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allocate, elementCount } from '../../src/tensor/hostArray.js';
import type { HostArray } from '../../src/tensor/hostArray.js';
import { dtypes } from '../../src/graph/dtype.js';
import { SafetensorsFile, readSafetensors, writeSafetensors } from '../../src/io/index.js';

let folder = '';
let path = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pollux-io-'));
  path = join(folder, 'model.safetensors');
});
afterAll(() => rm(folder, { recursive: true }));

/** A file with this header text (or claimed header length) and this many bytes of data. */
function file(header: unknown, dataBytes = 0, claimed?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const tensor = (dtype: string, shape: unknown, start: number, stop: number) => ({ dtype, shape, data_offsets: [start, stop] });

const arrays: fc.Arbitrary<HostArray> = fc
  .record({
    dtype: fc.constantFrom(...dtypes),
    shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
    seed: fc.integer({ min: 0, max: 255 }),
  })
  .map(({ dtype, shape, seed }) => {
    const data = allocate(dtype, elementCount(shape));
    const bytes = new Uint8Array(data.buffer);
    for (let i = 0; i < bytes.length; i++) bytes[i] = dtype === 'bool' ? (i + seed) & 1 : (i * 37 + seed) & 0x7f;
    return { dtype, shape, data };
  });

describe('safetensors', () => {
  it('reads back what was written', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(
          fc.tuple(
            fc.string().filter((name) => name !== '__metadata__'),
            arrays,
          ),
          { selector: ([name]) => name, maxLength: 6 },
        ),
        fc.dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          fc.string(),
          { maxKeys: 3 },
        ),
        async (tensors, metadata) => {
          await writeSafetensors(path, new Map(tensors), { metadata });
          const back = await readSafetensors(path);
          expect(new Map([...back.tensors].sort())).toEqual(new Map(tensors.sort()));
          expect({ ...back.metadata }).toEqual({ ...metadata });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reads and writes the same bytes as the reference implementation', async () => {
    // Made with Python: safetensors.numpy.save({'b': arange(3, int8), 'a': arange(4, float32).reshape(2, 2)}, {'k': 'v'}), version 0.8.0.
    const json =
      '{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"I8","shape":[3],"data_offsets":[16,19]}}';
    const reference = Buffer.concat([
      file(json.padEnd(Math.ceil(json.length / 8) * 8)),
      Buffer.from(Float32Array.of(0, 1, 2, 3).buffer),
      Buffer.of(0, 1, 2),
    ]);
    await writeSafetensors(
      path,
      new Map<string, HostArray>([
        ['b', { dtype: 'int8', shape: [3], data: Int8Array.of(0, 1, 2) }],
        ['a', { dtype: 'float32', shape: [2, 2], data: Float32Array.of(0, 1, 2, 3) }],
      ]),
      { metadata: { k: 'v' } },
    );
    expect(Buffer.compare(await readFile(path), reference)).toBe(0);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /it has 0 bytes/],
    ['a header longer than the file', file({}, 0, 1000n), /claims 1000 bytes, the file has 2/],
    ['a huge header', file({}, 0, 2n ** 63n), /claims 9223372036854775808 bytes; at most 100000000/],
    ['a header that is no object', file('[]'), /does not begin with "{"/],
    ['broken JSON', file('{"a":'), /not JSON/],
    ['a header that is not UTF-8', file('{}').with(9, 0xff), /not UTF-8/],
    [
      'a name twice',
      file('{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}', 1),
      /"a" occurs twice/,
    ],
    [
      'a name twice, once in escapes',
      file('{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}', 1),
      /"a" occurs twice/,
    ],
    ['a property twice', file('{"a":{"dtype":"I8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', 1), /"dtype" occurs twice/],
    ['an unknown dtype', file({ w: tensor('F33', [1], 0, 4) }, 4), /tensor "w": its dtype "F33" is none/],
    ['a shape that is no list', file({ w: tensor('F32', 4, 0, 4) }, 4), /tensor "w": its shape 4/],
    ['a negative size', file({ w: tensor('F32', [-1], 0, 4) }, 4), /no list of sizes/],
    ['offsets that are no pair', file({ w: { dtype: 'F32', shape: [1], data_offsets: [0] } }, 4), /not two byte offsets/],
    ['a product that overflows', file({ w: tensor('F32', [2 ** 32, 2 ** 32], 0, 0) }), /needs 73786976294838206464 bytes/],
    ['offsets that do not fit the shape', file({ w: tensor('F32', [2], 0, 4) }, 4), /needs 8 bytes, its data_offsets span 4/],
    ['offsets reversed', file({ w: tensor('F32', [1], 4, 0) }, 4), /span -4/],
    ['data cut short', file({ w: tensor('F32', [2], 0, 8) }, 4), /end at byte 8, the file's at 4/],
    ['an overlap', file({ v: tensor('F32', [2], 0, 8), w: tensor('F32', [2], 4, 12) }, 12), /"w": its data begin at byte 4, within/],
    ['a hole', file({ v: tensor('F32', [1], 0, 4), w: tensor('F32', [1], 8, 12) }, 12), /"w": .* leaves a hole after byte 4/],
    ['bytes behind the last tensor', file({ v: tensor('F32', [1], 0, 4) }, 5), /end at byte 4, its data at 5/],
    ['metadata that is no text', file({ __metadata__: { a: 1 } }), /must map names to strings/],
  ])('refuses %s', async (_, bytes, message) => {
    await writeFile(path, bytes);
    await expect(SafetensorsFile.open(path)).rejects.toMatchObject({ code: 'FILE_CORRUPT', message: expect.stringMatching(message) });
  });

  it('names the remedy for dtypes that it does not hold, and refuses wild bool bytes', async () => {
    await writeFile(path, file({ w: tensor('F64', [1], 0, 8) }, 8));
    await expect(readSafetensors(path)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(/"w" is F64.*torch.float32/),
    });
    await writeFile(path, file({ w: tensor('BOOL', [2], 0, 2) }, 2).with(-1, 7));
    await expect(readSafetensors(path)).rejects.toMatchObject({ code: 'FILE_CORRUPT', message: expect.stringContaining('"w"') });
  });

  it('survives any cut, flip or random bytes with one of its own errors', async () => {
    await writeSafetensors(
      path,
      new Map<string, HostArray>([
        ['layer.weight', { dtype: 'float32', shape: [3, 4], data: new Float32Array(12).fill(1) }],
        ['layer.bias', { dtype: 'bool', shape: [3], data: Uint8Array.of(0, 1, 1) }],
      ]),
      { metadata: { made: 'here' } },
    );
    const sound = await readFile(path);
    const cuts = fc.integer({ min: 0, max: sound.length - 1 }).map((length) => sound.subarray(0, length));
    const flips = fc
      .tuple(fc.integer({ min: 0, max: sound.length - 1 }), fc.integer({ min: 0, max: 255 }))
      .map(([at, byte]) => new Uint8Array(sound).with(at, byte));
    await fc.assert(
      fc.asyncProperty(fc.oneof(cuts, flips, fc.uint8Array({ maxLength: 200 })), async (bytes) => {
        await writeFile(path, bytes);
        const outcome = await readSafetensors(path).then(
          () => 'read',
          (error: { code?: string }) => error.code,
        );
        expect(['read', 'FILE_CORRUPT', 'UNSUPPORTED']).toContain(outcome);
        if (bytes.length < sound.length && Buffer.compare(bytes, sound.subarray(0, bytes.length)) === 0)
          expect(outcome).toBe('FILE_CORRUPT');
      }),
      { numRuns: 400 },
    );
  });

  it('reads one tensor of a file, and suggests a name', async () => {
    await writeSafetensors(path, new Map([['conv1.weight', { dtype: 'float32', shape: [2], data: Float32Array.of(5, 6) }]] as const));
    await using opened = await SafetensorsFile.open(path);
    expect((await opened.read('conv1.weight')).data).toEqual(Float32Array.of(5, 6));
    await expect(opened.read('conv1.weigth')).rejects.toThrow(/did you mean "conv1.weight"/);
    await expect(SafetensorsFile.open(join(folder, 'absent'))).rejects.toMatchObject({ code: 'IO_FAILED' });
  });

  it('reads tensors beyond 4 GiB of a (sparse) file', async () => {
    const large = 5 * 2 ** 30;
    const header = JSON.stringify({ filler: tensor('U8', [large], 0, large), w: tensor('F32', [1], large, large + 4) });
    const start = file(header);
    await writeFile(path, start);
    await using handle = await open(path, 'r+');
    await handle.write(new Uint8Array(Float32Array.of(42).buffer), 0, 4, start.length + large);
    await using opened = await SafetensorsFile.open(path);
    expect((await opened.read('w')).data).toEqual(Float32Array.of(42));
  });

  it('checks what it is given', async () => {
    const write = (name: string, array: object) => writeSafetensors(path, new Map([[name, array as HostArray]]));
    await expect(write('a', { dtype: 'float32', shape: [3], data: new Float32Array(2) })).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    await expect(write('a', { dtype: 'int8', shape: [2], data: new Float32Array(2) })).rejects.toMatchObject({ code: 'DTYPE_MISMATCH' });
    await expect(write('__metadata__', { dtype: 'float32', shape: [2], data: new Float32Array(2) })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});

const one = (value: number, length = 1) =>
  new Map([['w', { dtype: 'float32' as const, shape: [length], data: new Float32Array(length).fill(value) }]]);
const value = async (at: string) => (await readSafetensors(at)).tensors.get('w')!.data[0];

describe('a failed write', () => {
  it('leaves the earlier file untouched when aborted, and no litter', async () => {
    const own = await mkdtemp(join(folder, 'abort-'));
    const target = join(own, 'w.safetensors');
    await writeSafetensors(target, one(1));
    const controller = new AbortController();
    const writing = writeSafetensors(target, one(2, 2 ** 22), { signal: controller.signal });
    setTimeout(() => controller.abort(), 2);
    await expect(writing).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await value(target)).toBe(1);
    expect(await readdir(own)).toEqual(['w.safetensors']);
  });

  it('says IO_FAILED for a missing folder', async () => {
    await expect(writeSafetensors(join(folder, 'absent', 'w'), one(1))).rejects.toMatchObject({
      code: 'IO_FAILED',
      message: expect.stringContaining('ENOENT'),
    });
  });

  it.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)(
    'leaves the earlier file untouched when the disk is full',
    async (context) => {
      const disk = join(folder, 'disk');
      await mkdir(disk);
      try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk], { stdio: 'ignore' });
      } catch {
        context.skip('this machine does not let tests mount a tmpfs');
      }
      try {
        const target = join(disk, 'w.safetensors');
        await writeSafetensors(target, one(1));
        await expect(writeSafetensors(target, one(2, 2 ** 20))).rejects.toMatchObject({
          code: 'IO_FAILED',
          message: expect.stringContaining('disk is full'),
        });
        expect(await value(target)).toBe(1);
        expect(await readdir(disk)).toEqual(['w.safetensors']);
      } finally {
        execFileSync('umount', [disk]);
      }
    },
  );
});
