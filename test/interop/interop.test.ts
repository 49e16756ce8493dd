// Published layouts load, and answer as the architecture written out in PyTorch does (make_models.py).
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { interop, models, nn, readSafetensors, type Tensor, tensor, writeSafetensors } from '../../src/index.js';
import type { HostArray } from '../../src/tensor/hostArray.js';

const data = (...names: string[]): string => path.join(fileURLToPath(new URL('./data', import.meta.url)), ...names);
const answersOf = async (name: string): Promise<Map<string, HostArray>> => (await readSafetensors(data(name))).tensors;
const input = (array: HostArray | undefined): Tensor => tensor(array as never) as Tensor;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pollux-interop-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Largest distance, in units of the largest value: float32 through a few layers stays within 1e-5. */
async function distance(output: Tensor, expected: HostArray | undefined): Promise<number> {
  const found = (await output.data()) as Float32Array;
  const wanted = expected!.data as Float32Array;
  expect(output.shape).toEqual(expected!.shape);
  const scale = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return found.reduce((most, x, i) => Math.max(most, Math.abs(x - wanted[i]!)), 0) / scale;
}

describe('published models', () => {
  it.each(['gpt2', 'llama'])('%s: its logits are the reference’s', async (name) => {
    const { model, fresh } = (await interop.loadPretrained(data(name))) as interop.Pretrained<models.Gpt2>;
    const answers = await answersOf(`${name}/answers.safetensors`);
    expect(fresh).toEqual([]);
    expect(await distance(model.forward(input(answers.get('ids')) as never) as Tensor, answers.get('output'))).toBeLessThan(1e-5);
  });

  it('bert, in two shards: states and classes, with padding', async () => {
    const answers = await answersOf('bert/answers.safetensors');
    const mask = (input(answers.get('mask')) as Tensor).cast('bool');
    const inputs = { mask, typeIds: input(answers.get('typeIds')) } as models.BertInputs;
    const ids = input(answers.get('ids')) as never;
    const { model } = (await interop.loadPretrained(data('bert'), { head: 'classifier' })) as interop.Pretrained<models.BertClassifier>;
    expect(await distance(model.forward(ids, inputs) as Tensor, answers.get('output'))).toBeLessThan(1e-5);
    const base = (await interop.loadPretrained(data('bert'))) as interop.Pretrained<models.Bert>;
    expect(base.skipped).toContain('classifier.weight');
    expect(await distance(base.model.forward(ids, inputs) as Tensor, answers.get('states'))).toBeLessThan(1e-5);
    const masked = await interop.loadPretrained(data('bert'), { head: 'maskedLanguageModel' });
    expect(masked.fresh).toEqual(['dense.weight', 'dense.bias', 'norm.weight', 'norm.bias', 'bias']);
  });

  it.each(['vit', 'resnet-basic', 'resnet-bottleneck'])('%s: channels last', async (name) => {
    const { model } = (await interop.loadPretrained(data(name))) as interop.Pretrained<models.ResNet>;
    const answers = await answersOf(`${name}/answers.safetensors`);
    expect(await distance(model.forward(input(answers.get('images')) as never) as Tensor, answers.get('output'))).toBeLessThan(1e-5);
  });

  it('torchvision’s ResNet has the same weights under other names', async () => {
    const theirs = (await readSafetensors(data('resnet-basic/model.safetensors'))).tensors;
    const renamed = new Map(
      [...theirs].map(([name, value]) => {
        const to = name
          .replace(/^resnet\.embedder\.embedder\.convolution/, 'conv1')
          .replace(/^resnet\.embedder\.embedder\.normalization/, 'bn1')
          .replace(/^resnet\.encoder\.stages\.(\d)\.layers\.(\d)\./, (_, stage, i) => `layer${Number(stage) + 1}.${i}.`)
          .replace(/layer\.(\d)\.convolution/, (_, i) => `conv${Number(i) + 1}`)
          .replace(/layer\.(\d)\.normalization/, (_, i) => `bn${Number(i) + 1}`)
          .replace('shortcut.convolution', 'downsample.0')
          .replace('shortcut.normalization', 'downsample.1')
          .replace('classifier.1', 'fc');
        return [to, value];
      }),
    );
    const file = path.join(folder, 'torchvision.safetensors');
    await writeSafetensors(file, renamed);
    const model = models.ResNet.fromConfig(JSON.parse(await readFile(data('resnet-basic/config.json'), 'utf8'))).eval();
    await interop.loadWeights(model, file, interop.torchvisionResnetMap);
    const answers = await answersOf('resnet-basic/answers.safetensors');
    expect(await distance(model.forward(input(answers.get('images')) as never) as Tensor, answers.get('output'))).toBeLessThan(1e-5);
  });

  it('of another architecture are refused by name, and change nothing', async () => {
    const other = path.join(folder, 'other');
    await cp(data('gpt2'), other, { recursive: true });
    const config = JSON.parse(await readFile(path.join(other, 'config.json'), 'utf8')) as Record<string, unknown>;
    const write = (changes: object) => writeFile(path.join(other, 'config.json'), JSON.stringify({ ...config, ...changes }));
    await write({ n_layer: 3 });
    await expect(interop.loadPretrained(other)).rejects.toThrow(/Missing: decoder\.layers\.2\./);
    await write({ n_layer: 1 });
    await expect(interop.loadPretrained(other)).rejects.toThrow(/Unexpected: decoder\.layers\.1\./);
    await write({ vocab_size: 41 });
    await expect(interop.loadPretrained(other)).rejects.toThrow(
      /tokens\.weight: the model has float32\[41, 12\], the file float32\[40, 12\]/,
    );
    await write({ activation_function: 'snake' });
    await expect(interop.loadPretrained(other)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await write({ model_type: 'mamba' });
    await expect(interop.loadPretrained(other)).rejects.toThrow('"mamba" is not known');
    const model = models.Gpt2.fromConfig(config);
    const before = await model.snapshot();
    await expect(interop.loadWeights(model, data('vit'), interop.gpt2Map)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    expect(await model.snapshot()).toEqual(before);
  });

  it('that are broken are named', async () => {
    const broken = path.join(folder, 'broken');
    await cp(data('bert'), broken, { recursive: true });
    const index = path.join(broken, 'model.safetensors.index.json');
    await writeFile(index, '{"weight_map": {"a": "model-00001-of-00002.safetensors"}}');
    await expect(interop.loadPretrained(broken)).rejects.toThrow('holds "a", which it does not');
    await writeFile(index, '{"weight_map": {"a": "../elsewhere.safetensors"}}');
    await expect(interop.loadPretrained(broken)).rejects.toMatchObject({ code: 'FILE_CORRUPT' });
    await writeFile(index, '{"weight_map": {"a": "missing.safetensors"}}');
    await expect(interop.loadPretrained(broken)).rejects.toMatchObject({ code: 'IO_FAILED' });
    await writeFile(index, '{');
    await expect(interop.loadPretrained(broken)).rejects.toMatchObject({ code: 'FILE_CORRUPT' });
    await rm(index);
    await expect(interop.loadPretrained(broken)).rejects.toThrow('save_file');
    await writeFile(path.join(broken, 'config.json'), 'no');
    await expect(interop.loadPretrained(broken)).rejects.toMatchObject({ code: 'FILE_CORRUPT' });
    await expect(interop.loadPretrained(path.join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'IO_FAILED' });
  });
});

/** The counterpart of `Mixed` in make_models.py. */
class Mixed extends nn.Module {
  conv = new nn.Conv2d(2, 6, 3, { padding: 1 });
  norm = new nn.BatchNorm(6);
  up = new nn.ConvTranspose2d(6, 4, 2, { stride: 2 });
  fc = new nn.Linear(4 * 10 * 8, 12);
  lstm = new nn.LSTM(12, 5, { layers: 2, bidirectional: true });
  encoder = new nn.TransformerEncoder(2, 10, 2, { hiddenSize: 16, dropout: 0 });
  embed = new nn.Embedding(7, 10);

  forward(images: Tensor, ids: Tensor): Tensor {
    const x = nn.relu(this.norm.forward(this.conv.forward(images as never) as never) as Tensor);
    const flat = this.fc.forward((this.up.forward(x as never) as Tensor).flatten() as never) as Tensor;
    const steps = tensor([[[0], [1], [2]]]) as Tensor;
    const { output } = this.lstm.forward(flat.expandDims(1).add(steps) as never);
    return this.encoder.forward((output as Tensor).add(this.embed.forward(ids as never) as Tensor));
  }
}

describe('state dictionaries of PyTorch', () => {
  const options: interop.PyTorchOptions = { names: { conv: 'conv1', norm: 'bn1' }, flatten: { fc: [4, 10, 8] } };

  it('load by the layers they belong to', async () => {
    const model = new Mixed().eval();
    expect(await interop.loadPyTorch(model, data('mixed.safetensors'), options)).toMatchObject({ fresh: [] });
    const answers = await answersOf('mixed.answers.safetensors');
    expect(await distance(model.forward(input(answers.get('images')), input(answers.get('ids'))), answers.get('output'))).toBeLessThan(
      1e-5,
    );
  });

  it('name what does not fit', async () => {
    const model = new Mixed();
    await expect(interop.loadPyTorch(model, data('mixed.safetensors'), { ...options, names: {} })).rejects.toThrow(
      /Missing: conv\.weight.*Unexpected: conv1/s,
    );
    await expect(interop.loadPyTorch(model, data('mixed.safetensors'), { ...options, flatten: { fc: [4, 9, 8] } })).rejects.toThrow(
      'makes 288 columns',
    );
    const { skipped, fresh } = await interop.loadPyTorch(model, data('mixed.safetensors'), { ...options, skip: /^embed/, fresh: /^embed/ });
    expect([skipped.filter((name) => name.startsWith('embed')), fresh]).toEqual([['embed.weight'], ['embed.weight']]);
  });
});
