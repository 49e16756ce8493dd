import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArrayDataset, callbacks, losses, nn, optim, seed, type Tensor, Trainer } from 'pollux';
import { afterAll, describe, expect, it } from 'vitest';
import { AppendFile } from '../../src/train/loggers/appendFile.js';
import { crc32c, maskedCrc32c } from '../../src/train/loggers/crc32c.js';

const folder = mkdtempSync(join(tmpdir(), 'pollux-logs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const data = new ArrayDataset({
  x: { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] },
  y: { data: Float32Array.from({ length: 20 }, (_, i) => Math.cos(i)), shape: [20, 1] },
});
const make = () => {
  seed(1);
  return new Trainer(new nn.Linear(2, 1), {
    loss: (output: Tensor, target: Tensor) => losses.mse(output, target),
    optimizer: optim.sgd({ learningRate: 0.1 }),
    metrics: ['mae'],
  });
};
/** Two epochs of four steps, the second of them again after a break in the middle. */
async function brokenRun(name: string, logger: () => Parameters<typeof train>[1]) {
  const checkpoint = { folder: join(folder, `${name} checkpoints`), every: 3 };
  await train(
    { checkpoint, epochs: 2 },
    {
      ...logger()!,
      onCheckpoint: ({ step }) => {
        if (step === 6) throw new Error('killed');
      },
    },
  ).catch(() => undefined);
  return { resume: () => train({ checkpoint, epochs: 3, resume: true }, logger()) };
}
const train = (options: object, logger?: import('pollux').Callback) =>
  Promise.resolve(make().fit(data, { epochs: 2, batchSize: 5, validation: data, callbacks: logger ? [logger] : [], ...options }));

describe('CRC-32C', () => {
  it('has the vectors of RFC 3720, appendix B.4', () => {
    const bytes = (value: (i: number) => number) => Uint8Array.from({ length: 32 }, (_, i) => value(i));
    expect(crc32c(bytes(() => 0))).toBe(0x8a9136aa);
    expect(crc32c(bytes(() => 255))).toBe(0x62a8ab43);
    expect(crc32c(bytes((i) => i))).toBe(0x46dd794e);
    expect(crc32c(bytes((i) => 31 - i))).toBe(0x113fdb5c);
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  });

  it('masks as TFRecord does', () => {
    // The header of a record of 24 bytes, as TensorFlow writes it before "brain.Event:2".
    const length = Uint8Array.of(24, 0, 0, 0, 0, 0, 0, 0);
    expect(maskedCrc32c(length)).toBe(new DataView(Uint8Array.of(0xa3, 0x7f, 0x4b, 0x22).buffer).getUint32(0, true));
  });
});

type Message = Map<number, (number | bigint | Uint8Array)[]>;

/** A reader of protocol buffers that knows only the wire format. */
function decode(bytes: Uint8Array): Message {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Message = new Map();
  let at = 0;
  const varint = (): bigint => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = BigInt(bytes[at++]!);
      value |= (byte & 127n) << shift;
      if (byte < 128n) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    let value: number | bigint | Uint8Array;
    if (key % 8 === 0) value = varint();
    else if (key % 8 === 1) value = view.getFloat64((at += 8) - 8, true);
    else if (key % 8 === 5) value = view.getFloat32((at += 4) - 4, true);
    else {
      const length = Number(varint());
      value = bytes.subarray(at, (at += length));
    }
    found.set(key >> 3, [...(found.get(key >> 3) ?? []), value]);
  }
  expect(at).toBe(bytes.length);
  return found;
}

function records(file: string): Message[] {
  const bytes = new Uint8Array(readFileSync(file));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Message[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(view.getBigUint64(at, true));
    expect(view.getUint32(at + 8, true)).toBe(maskedCrc32c(bytes.subarray(at, at + 8)));
    const content = bytes.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 12 + length, true)).toBe(maskedCrc32c(content));
    found.push(decode(content));
    at += 16 + length;
  }
  return found;
}

const text = (bytes: unknown) => new TextDecoder().decode(bytes as Uint8Array);
/** [step, tag, value] of every scalar. */
const scalars = (events: Message[]) =>
  events.flatMap((event) =>
    (event.get(5) ?? []).flatMap((summary) =>
      (decode(summary as Uint8Array).get(1) ?? []).flatMap((value) => {
        const fields = decode(value as Uint8Array);
        return fields.has(2) ? [[Number(event.get(2)?.[0] ?? 0), text(fields.get(1)![0]), fields.get(2)![0] as number] as const] : [];
      }),
    ),
  );

describe('TensorBoard', () => {
  it('reads what was written', async () => {
    const logs = join(folder, 'board');
    const before = Date.now() / 1000;
    const { epochs } = await train({}, callbacks.tensorBoard(logs, { every: 2, histograms: 1 }));
    const [name] = readdirSync(logs);
    expect(name).toMatch(/^events\.out\.tfevents\.\d{10}\./);
    const events = records(join(logs, name!));
    expect(text(events[0]!.get(3)![0])).toBe('brain.Event:2');
    for (const event of events) expect(event.get(1)![0]).toBeGreaterThanOrEqual(before);
    const found = scalars(events);
    expect(found.filter(([, tag]) => tag === 'step/loss').map(([step]) => step)).toEqual([2, 4, 6, 8]);
    for (const { epoch, figures, validation } of epochs) {
      expect(found).toContainEqual([epoch, 'epoch/loss', Math.fround(figures.loss)]);
      expect(found).toContainEqual([epoch, 'epoch/validation.mae', Math.fround(validation!['mae']!)]);
    }
    const histograms = events
      .flatMap((event) => event.get(5) ?? [])
      .flatMap((summary) => decode(summary as Uint8Array).get(1) ?? [])
      .map((value) => decode(value as Uint8Array))
      .filter((value) => value.has(5));
    expect(histograms.map((value) => text(value.get(1)![0]))).toEqual([
      'parameters/weight',
      'parameters/bias',
      'parameters/weight',
      'parameters/bias',
    ]);
    const weight = decode(histograms[0]!.get(5)![0] as Uint8Array);
    const doubles = (bytes: unknown) => new Float64Array((bytes as Uint8Array).slice().buffer);
    expect(weight.get(3)).toEqual([2]);
    expect(doubles(weight.get(7)![0]).reduce((a, b) => a + b)).toBe(2);
    expect(doubles(weight.get(6)![0]).at(-1)).toBeGreaterThanOrEqual(weight.get(2)![0] as number);
  });

  it('is told to forget what a resumed run does again', async () => {
    const logs = join(folder, 'board again');
    const { resume } = await brokenRun('board', () => callbacks.tensorBoard(logs, { every: 1 }));
    await resume();
    const files = readdirSync(logs).sort((a, b) => Number(a.split('.').at(-1)) - Number(b.split('.').at(-1)));
    expect(files).toHaveLength(2);
    const [, restart] = records(join(logs, files[1]!));
    expect(restart!.get(2)).toEqual([6n]);
    expect(decode(restart!.get(7)![0] as Uint8Array).get(1)).toEqual([1n]);
  });
});

describe('CSV', () => {
  it('has a row an epoch; a resumed run goes on, a new one begins anew', async () => {
    const file = join(folder, 'deep', 'log.csv');
    const logger = () => callbacks.csvLogger(file);
    const { resume } = await brokenRun('csv', logger);
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(3);
    // A line that a kill cut short, and one of an epoch that is done again.
    appendFileSync(file, '2,8,0.1,1,1,0.5,0.5,0.5,0.5\n2,8,0.');
    const history = await resume();
    const lines = readFileSync(file, 'utf8').split('\n');
    expect(lines[0]).toBe('epoch,step,learningRate,seconds,samplesPerSecond,loss,mae,validation.loss,validation.mae');
    expect(lines.slice(1, -1).map((line) => line.split(',').slice(0, 3))).toEqual([
      ['1', '4', '0.1'],
      ['2', '8', '0.1'],
      ['3', '12', '0.1'],
    ]);
    history.epochs.forEach(({ figures, validation }, i) => {
      const cells = lines[i + 1]!.split(',').map(Number);
      expect(cells.slice(5)).toEqual([figures.loss, figures['mae'], validation!.loss, validation!['mae']]);
    });
    await train({ epochs: 1 }, logger());
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(2);
  });
});

describe('JSON lines', () => {
  it('hold epochs and steps; a resumed run repeats none', async () => {
    const file = join(folder, 'log.jsonl');
    const { resume } = await brokenRun('json', () => callbacks.jsonLinesLogger(file, { every: 1 }));
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"type":"step","epoch":2,"step":7}\n{"type":`);
    await resume();
    const lines = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ type }) => type === 'step').map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(lines.filter(({ type }) => type === 'epoch').map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(lines.find(({ type }) => type === 'epoch')).toHaveProperty(['validation.mae']);
  });
});

describe('a log that cannot be written', () => {
  it('fails the run with its path, and the model works on', async () => {
    writeFileSync(join(folder, 'file'), '');
    const trainer = make();
    for (const logger of [callbacks.csvLogger, callbacks.jsonLinesLogger, callbacks.tensorBoard]) {
      const run = Promise.resolve(trainer.fit(data, { epochs: 1, callbacks: [logger(join(folder, 'file', 'log'))] }));
      await expect(run).rejects.toMatchObject({ code: 'IO_FAILED', message: expect.stringContaining(join('file', 'log')) });
    }
    expect((await trainer.fit(data, { epochs: 1 })).steps).toBe(1);
  });

  it('says that the disk is full', async () => {
    const file = new AppendFile('/dev/full');
    await file.open();
    file.write(Uint8Array.of(1, 2, 3));
    await expect(file.flush()).rejects.toMatchObject({ code: 'IO_FAILED', message: expect.stringContaining('disk is full') });
    expect(() => file.write(Uint8Array.of(4))).toThrow(/disk is full/);
  });

  it('checks its options', () => {
    expect(() => callbacks.tensorBoard('x', { evry: 1 } as never)).toThrow(/did you mean "every"/);
    expect(() => callbacks.jsonLinesLogger('x', { every: 0 })).toThrow(/every must be/);
  });
});
