import { checkOptions, PolluxError } from '../errors.js';
import { checkWhole } from './checks.js';
import { allocateBatch, type Batch, Dataset, type Field, type GetOptions, type Indices, type Schema } from './dataset.js';
import { elementCount } from '../tensor/hostArray.js';
import { below, PhiloxStream } from './philox.js';

/** Samples with an input x and a class y. */
type Classes = Schema & { readonly x: Field<readonly number[], 'float32'>; readonly y: Field<readonly [], 'int32'> };
/** The same with y as probabilities of the classes. */
type Mixed<S extends Schema> = { readonly x: S['x'] & Field; readonly y: Field<readonly [number], 'float32'> };

export interface MixingOptions {
  /** Number of classes: y becomes their probabilities, which losses.crossEntropy takes as they are. */
  classes: number;
  /** Of the Beta(alpha, alpha) law that the share of the first sample follows. Default 0.2 (mixUp), 1 (cutMix). */
  alpha?: number;
}

/**
 * mixup (Zhang et al. 2018): each sample is a weighted mean of itself and a random other, and so is its label. Sample i draws from
 * (seed, epoch, i) alone.
 */
export function mixUp<S extends Classes>(dataset: Dataset<S>, options: MixingOptions): Dataset<Mixed<S>> {
  return mixing('mixUp', dataset, options, 0.2, (x, other, share) => {
    for (let i = 0; i < x.length; i++) x[i] = share * x[i]! + (1 - share) * other[i]!;
    return share;
  });
}

/** CutMix (Yun et al. 2019): a random rectangle of each image [height, width, channels] is that of a random other; labels mix by area. */
export function cutMix<S extends Classes>(dataset: Dataset<S>, options: MixingOptions): Dataset<Mixed<S>> {
  const { shape } = dataset.schema.x;
  if (shape.length !== 3)
    throw new PolluxError('SHAPE_MISMATCH', `cutMix: x has shape [${shape.join(', ')}]; images are [height, width, channels].`);
  const [height, width, channels] = shape as unknown as [number, number, number];
  return mixing('cutMix', dataset, options, 1, (x, other, share, words) => {
    const side = Math.sqrt(1 - share);
    const [middle, across] = [below(words[0]!, height), below(words[1]!, width)];
    const clamp = (value: number, most: number): number => Math.max(0, Math.min(most, Math.round(value)));
    const [top, bottom] = [clamp(middle - (height * side) / 2, height), clamp(middle + (height * side) / 2, height)];
    const [left, right] = [clamp(across - (width * side) / 2, width), clamp(across + (width * side) / 2, width)];
    for (let y = top; y < bottom; y++) {
      const from = (y * width + left) * channels;
      x.set(other.subarray(from, from + (right - left) * channels), from);
    }
    return 1 - ((bottom - top) * (right - left)) / (height * width);
  });
}

type Mix = (x: Float32Array, other: Float32Array, share: number, words: Uint32Array) => number;

function mixing<S extends Classes>(where: string, dataset: Dataset<S>, options: MixingOptions, usual: number, mix: Mix): Dataset<Mixed<S>> {
  checkOptions(where, options, ['classes', 'alpha']);
  const { alpha = usual } = options;
  checkWhole(where, 'classes', options.classes, 2);
  if (!(alpha > 0)) throw new RangeError(`${where}: alpha must be above 0, got ${alpha}.`);
  const { x, y } = dataset.schema;
  if (x?.dtype !== 'float32' || y?.dtype !== 'int32' || y.shape.length)
    throw new PolluxError('DTYPE_MISMATCH', `${where}: needs the fields x float32 and y int32 (a class).`);
  return new MixedDataset<S>(where, dataset, options.classes, alpha, mix);
}

const mixStream = 0x6d697800;

class MixedDataset<S extends Classes> extends Dataset<Mixed<S>> {
  readonly length: number;
  readonly schema: Mixed<S>;

  constructor(
    readonly where: string,
    readonly parent: Dataset<S>,
    readonly classes: number,
    readonly alpha: number,
    readonly mix: Mix,
  ) {
    super();
    this.length = parent.length;
    this.schema = { ...parent.schema, y: { shape: [classes], dtype: 'float32' } } as unknown as Mixed<S>;
  }

  override async get(indices: Indices, options: GetOptions<Mixed<S>> = {}): Promise<Batch<Mixed<S>>> {
    const { seed = 0, epoch = 0 } = options;
    const stream = new PhiloxStream(seed, mixStream);
    const draws = Array.from(indices, (index) => {
      // Draw 0 of a sample chooses its partner and place, the later ones make the share.
      const words = stream.draw(this.checkIndex(index) * 1024, epoch).slice();
      return { words, partner: below(words[2]!, this.length), share: beta(this.alpha, stream, index, epoch) };
    });
    const [own, others] = await Promise.all([
      this.parent.get(indices, { seed, epoch }),
      this.parent.get(
        draws.map(({ partner }) => partner),
        { seed, epoch },
      ),
    ]);
    const out = (options.out ?? allocateBatch(this.schema, indices.length)) as unknown as Batch;
    for (const [name, { data }] of Object.entries(own as Batch))
      if (name !== 'y') (out[name]!.data as Float32Array).set(data as Float32Array);
    const size = elementCount(this.parent.schema.x.shape);
    const [x, y] = [out.x!.data as Float32Array, (out.y!.data as Float32Array).fill(0)];
    for (const [i, { words, share }] of draws.entries()) {
      const other = (others.x.data as Float32Array).subarray(i * size, (i + 1) * size);
      const kept = this.mix(x.subarray(i * size, (i + 1) * size), other, share, words);
      for (const [batch, weight] of [
        [own, kept],
        [others, 1 - kept],
      ] as const) {
        const label = (batch.y.data as Int32Array)[i]!;
        if (!(label >= 0 && label < this.classes))
          throw new PolluxError(
            'LABEL_OUT_OF_RANGE',
            `${this.where}: sample ${indices[i]} has the class ${label}; there are ${this.classes}.`,
          );
        y[i * this.classes + label]! += weight;
      }
    }
    return out as unknown as Batch<Mixed<S>>;
  }
}

/** A draw of Beta(alpha, alpha) as the ratio of two of Gamma(alpha) (Marsaglia and Tsang 2000, boosted below 1). */
function beta(alpha: number, stream: PhiloxStream, index: number, epoch: number): number {
  let next = index * 1024 + 1;
  const uniforms = (): [number, number, number] => {
    const words = stream.draw(next++, epoch);
    return [0, 1, 2].map((i) => (words[i]! + 0.5) / 2 ** 32) as [number, number, number];
  };
  const gamma = (shape: number): number => {
    if (shape < 1) return gamma(shape + 1) * uniforms()[0] ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const [a, b, u] = uniforms();
      const normal = Math.sqrt(-2 * Math.log(a)) * Math.cos(2 * Math.PI * b);
      const v = (1 + c * normal) ** 3;
      if (v > 0 && Math.log(u) < normal ** 2 / 2 + d - d * v + d * Math.log(v)) return d * v;
    }
  };
  const [a, b] = [gamma(alpha), gamma(alpha)];
  // Both underflow for a tiny alpha: then one sample is all.
  return a + b > 0 ? a / (a + b) : uniforms()[0] < 0.5 ? 0 : 1;
}
