import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Finding, formatFindings } from '../../src/cli/doctor.js';
import { plotTraining } from '../../src/plot/trainingCurves.js';
import { encodeGreyPng } from '../../src/plot/png.js';
import { runCommand } from '../../src/cli/program.js';
import { formatDuration, ProgressBar } from '../../src/train/progress.js';
import { drawSheet } from '../../src/plot/sheet.js';
import { formatBytes } from '../../src/cli/summary.js';
import { ticks } from '../../src/plot/svg.js';
import type { HostArray } from '../../src/tensor/hostArray.js';
import { writeSafetensors } from '../../src/io/index.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pollux-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  const written = { out: '', error: '' };
  const code = await runCommand(args, {
    out: (text) => {
      written.out += text;
    },
    error: (text) => {
      written.error += text;
    },
  });
  return { code, ...written };
}

describe('pollux', () => {
  it('lists its commands', async () => {
    const { code, out } = await run('--help');
    expect(code).toBe(0);
    expect(out).toMatch(/doctor[\s\S]*summary/);
    expect(await run()).toMatchObject({ code: 2, error: expect.stringContaining('Commands:') });
    expect((await run('--version')).out).toMatch(/^\d+\.\d+\.\d+/);
  });

  it.each([
    [['doctr'], /unknown command 'doctr'\n\(Did you mean doctor\?\)/],
    [['doctor', '--jsn'], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    [['summary'], /missing required argument 'file'/],
    [['summary', 'a', 'b'], /too many arguments/],
  ])('exits with 2 for %j', async (args, message) => {
    expect(await run(...args)).toMatchObject({ code: 2, error: expect.stringMatching(message) });
  });

  it('summary lists tensors', async () => {
    const path = join(folder, 'model.safetensors');
    const tensors = new Map<string, HostArray>([
      ['layer10.weight', { dtype: 'float32', shape: [32, 32], data: new Float32Array(1024) }],
      ['layer2.bias', { dtype: 'bfloat16', shape: [5], data: new Uint16Array(5) }],
    ]);
    await writeSafetensors(path, tensors, { metadata: { epochs: '5' } });
    expect(await run('summary', path)).toEqual({
      code: 0,
      error: '',
      out: [
        'name            dtype  shape     parameters    bytes',
        'layer2.bias     BF16   [5]                5     10 B',
        'layer10.weight  F32    [32, 32]       1,024  4.0 KiB',
        '2 tensors                             1,029  4.0 KiB',
        '',
        'epochs: 5\n',
      ].join('\n'),
    });
    expect(await run('summary', join(folder, 'absent'))).toMatchObject({
      code: 1,
      error: expect.stringMatching(/^pollux: .*absent: cannot open/),
    });
  });

  it('doctor looks at this machine and agrees with its exit code', async () => {
    const { code, out } = await run('doctor', '--json');
    const findings = JSON.parse(out) as Finding[];
    expect(findings.find(({ name }) => name === 'node')?.text).toContain(process.versions.node);
    expect(findings.map(({ section }) => section)).toEqual(expect.arrayContaining(['Machine', 'Twins', 'Tools', 'Data']));
    expect(code).toBe(findings.some(({ state }) => state === 'missing') ? 1 : 0);
  });

  it('doctor says how to get what is missing', () => {
    const text = formatFindings(
      [
        { section: 'Twins', name: 'cpu', state: 'missing', text: 'not built' },
        { section: 'Tools', name: 'g++', state: 'absent', text: 'not found', remedy: 'sudo apt-get install -y g++' },
      ],
      '1.2.3',
    );
    expect(text).toMatch(/✗ cpu +not built/);
    expect(text).toMatch(/What would help\n +g\+\+ +sudo apt-get install -y g\+\+/);
    expect(text).toMatch(/cannot train on this machine yet/);
  });

  it('writes bytes in readable units', () => {
    expect([0, 1023, 1024, 1536, 5 * 2 ** 30].map(formatBytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '5.0 GiB']);
  });
});

describe('progress', () => {
  const state = { epoch: 1, epochs: 2, step: 0, steps: 100, loss: 0.5, accuracy: 0.875, rate: 12345.6 };
  const record = (isTTY: boolean) => {
    const written: string[] = [];
    let time = 0;
    const stream = { isTTY, columns: 120, write: (text: string) => written.push(text) };
    return { written, tick: (ms: number) => (time += ms), bar: new ProgressBar({ stream, now: () => time }) };
  };

  it('redraws one line on a terminal, ten times a second at most', () => {
    const { written, tick, bar } = record(true);
    for (let step = 0; step <= 100; step++) {
      bar.update({ ...state, step });
      tick(10);
    }
    // 1.01 seconds.
    expect(written.length).toBe(11);
    expect(written[5]).toBe(
      '\r██████████░░░░░░░░░░ epoch 1/2  step  50/100  loss 0.5000  accuracy 87.50 %  12,346 images/s  1.5 s left\u001b[K',
    );
    bar.note('epoch 1/2 done');
    expect(written.at(-1)).toBe('\r\u001b[Kepoch 1/2 done\n');
  });

  it('never writes beyond the edge of the terminal', () => {
    const written: string[] = [];
    const bar = new ProgressBar({ stream: { isTTY: true, columns: 30, write: (text: string) => written.push(text) } });
    bar.update(state);
    expect(written[0]!.length).toBe(1 + 29 + 3);
  });

  it('writes few plain lines in a log', () => {
    const { written, tick, bar } = record(false);
    for (let epoch = 1; epoch <= 2; epoch++) {
      for (let step = 1; step <= 100; step++) {
        tick(10);
        bar.update({ ...state, epoch, step });
      }
      bar.note(`epoch ${epoch}/2 done`);
    }
    expect(written.map((line) => /step +(\d+)|done/.exec(line)![1] ?? 'done')).toEqual([
      '25',
      '50',
      '75',
      'done',
      '25',
      '50',
      '75',
      'done',
    ]);
    expect(written.some((line) => line.includes('\r') || line.includes('\u001b'))).toBe(false);
  });

  it('tells durations in words', () => {
    expect([0.83, 9.96, 59.7, 185, 7800].map(formatDuration)).toEqual(['0.8 s', '10 s', '1 min 00 s', '3 min 05 s', '2 h 10 min']);
  });
});

describe('pictures', () => {
  /** Sound enough for a parser: every tag closes in order, no number is NaN. */
  function checkSvg(svg: string): void {
    const open: string[] = [];
    for (const [, closing, name, rest] of svg.matchAll(/<(\/?)(\w+)((?:"[^"]*"|[^">])*)>/g)) {
      if (closing) expect(open.pop()).toBe(name);
      else if (!rest!.endsWith('/')) open.push(name!);
    }
    expect(open).toEqual([]);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  }
  const line = (values: number[]) => values.map((value, i) => ({ at: (i + 1) / 2, value }));

  it('draws curves with their last figures', () => {
    const svg = plotTraining({
      title: 'a < b & "c"',
      loss: { training: line([2.3, 0.4, 0.2, 0.1]), validation: line([0.3, 0.08]) },
      accuracy: { training: line([0.2, 0.9, 0.95, 0.97]), validation: line([0.96, 0.9912]) },
    });
    checkSvg(svg);
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;');
    expect(svg).toContain('>99.12 %<');
    expect(svg).toContain('>0.0800<');
  });

  it.each([
    ['one point', [1], []],
    ['no validation', [2, 1, 0.5], []],
    ['validation alone', [], [0.7, 0.9]],
    ['equal values', [1, 1, 1], [1]],
    ['zeros', [0, 0], [0]],
  ])('draws %s', (_, training, validation) => {
    const curves = { training: line(training), validation: line(validation) };
    checkSvg(plotTraining({ title: 't', loss: curves, accuracy: curves }));
  });

  it('refuses nothing and NaN', () => {
    const none = { training: [], validation: [] };
    expect(() => plotTraining({ title: 't', loss: none, accuracy: none })).toThrow(RangeError);
    expect(() => plotTraining({ title: 't', loss: { training: line([Number.NaN]), validation: [] }, accuracy: none })).toThrow(RangeError);
  });

  it('marks mistakes on a sheet', () => {
    const pixels = new Float32Array(6).fill(0.5);
    const svg = drawSheet(
      [
        { pixels, predicted: 3, truth: 3 },
        { pixels, predicted: 4, truth: 9 },
      ],
      { title: 'digits', size: [3, 2] },
    );
    checkSvg(svg);
    expect(svg).toContain('4, not 9');
    expect(svg.match(/stroke="#c92a2a"/g)?.length).toBe(1);
    expect(svg.match(/data:image\/png;base64,/g)?.length).toBe(2);
    expect(() => drawSheet([{ pixels, predicted: 1, truth: 1 }], { title: '', size: [4, 4] })).toThrow(/6 pixels/);
  });

  it('encodes PNG that holds its pixels', () => {
    const png = encodeGreyPng(Uint8Array.of(0, 128, 255, 1, 2, 3), 3, 2);
    expect([...png.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([3, 2]);
    const at = png.indexOf('IDAT');
    expect([...inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)))]).toEqual([0, 0, 128, 255, 0, 1, 2, 3]);
    // The checksum of an empty IEND chunk is a constant of the format.
    expect(png.subarray(-4).toString('hex')).toBe('ae426082');
  });

  it('finds round ticks', () => {
    expect(ticks(0, 2.5, 5)).toEqual([0, 0.5, 1, 1.5, 2, 2.5]);
    expect(ticks(0.9, 1, 5)).toEqual([0.9, 0.92, 0.94, 0.96, 0.98, 1]);
    expect(ticks(0, 30, 6)).toEqual([0, 5, 10, 15, 20, 25, 30]);
    expect(ticks(1, 1, 5)).toEqual([1]);
  });
});
