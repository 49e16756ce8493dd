import { readFileSync } from 'node:fs';

export interface StoredTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Int32Array;
}

export interface StoredRun {
  /** The learning rate of each step; exact in float32. */
  readonly rate: StoredTensor;
  /** PyTorch's loss at each step, in its float64 and its float32 run. */
  readonly loss64: StoredTensor;
  readonly loss32: StoredTensor;
  /** Parameters after the first step of the float64 run, by name. */
  readonly after1: ReadonlyMap<string, StoredTensor>;
  /** PyTorch's names and values: momentum, nesterov, weight_decay. */
  readonly settings: Readonly<Record<string, number | boolean>>;
}

export interface Trajectory {
  /** [batches, samples, ...]; step i trains on batch i % batches. */
  readonly x: StoredTensor;
  readonly y: StoredTensor;
  /** Parameters before the first step, float32; then the float64 gradients and running statistics of that step. */
  readonly start: ReadonlyMap<string, StoredTensor>;
  readonly gradient: ReadonlyMap<string, StoredTensor>;
  readonly buffer: ReadonlyMap<string, StoredTensor>;
  readonly runs: ReadonlyMap<OptimizerName, StoredRun>;
}

export const models = [
  'mlp',
  'cnn',
  'batch-norm-cnn',
  'group-norm-cnn',
  'lstm',
  'bidirectional-gru',
  'resnet',
  'vae',
  'transformer-encoder',
  'causal-transformer',
] as const;
export const optimizers = ['sgd', 'momentum', 'nesterov', 'adam', 'adamw'] as const;
export type OptimizerName = (typeof optimizers)[number];

const arrays = { F32: Float32Array, F64: Float64Array, I32: Int32Array };

interface Header {
  __metadata__: Record<string, string>;
  [name: string]: { dtype: keyof typeof arrays; shape: number[]; data_offsets: [number, number] } | Record<string, string>;
}

/** Reads one stored file. A reader of its own: what is under test must not read its own test data. */
export function readStored(name: string): { tensors: Map<string, StoredTensor>; metadata: Record<string, string> } {
  const file = readFileSync(new URL(`./data/${name}.safetensors`, import.meta.url));
  const begin = 8 + Number(file.readBigUInt64LE(0));
  const { __metadata__: metadata, ...entries } = JSON.parse(file.toString('utf8', 8, begin)) as Header;

  const tensors = new Map<string, StoredTensor>();
  for (const [path, { dtype, shape, data_offsets: offsets }] of Object.entries(
    entries as Record<string, Exclude<Header[string], Record<string, string>>>,
  )) {
    const bytes = file.subarray(begin + offsets[0], begin + offsets[1]);
    tensors.set(path, { shape, data: new arrays[dtype](Uint8Array.from(bytes).buffer) }); // copied: a Buffer is not aligned
  }
  return { tensors, metadata };
}

/** One training run. */
export function readTrajectory(model: (typeof models)[number]): Trajectory {
  const { tensors, metadata } = readStored(model);
  const under = (prefix: string) =>
    new Map([...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, tensor]) => [name.slice(prefix.length), tensor]));
  const run = (name: OptimizerName): StoredRun => ({
    rate: tensors.get(`${name}/rate`)!,
    loss64: tensors.get(`${name}/loss64`)!,
    loss32: tensors.get(`${name}/loss32`)!,
    after1: under(`${name}/after1/`),
    settings: JSON.parse(metadata[name]!) as Record<string, number | boolean>,
  });
  return {
    x: tensors.get('x')!,
    y: tensors.get('y')!,
    start: under('start/'),
    gradient: under('gradient/'),
    buffer: under('buffer/'),
    runs: new Map(optimizers.map((name) => [name, run(name)])),
  };
}
