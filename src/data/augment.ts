import { PolluxError } from '../errors.js';
import { allocateBatch, Dataset, settle } from './dataset.js';
import type { Batch, Field, GetOptions, Indices, Schema } from './dataset.js';
import { elementCount } from '../tensor/hostArray.js';
import { PhiloxStream } from './philox.js';
import type { ImageShape, ImageTransform } from './transforms.js';

type Augmented<F extends Field, T extends readonly ImageTransform[]> = [T[number]] extends [ImageTransform<'same'>]
  ? F
  : Field<readonly [height: number, width: number, channels: number], 'float32'>;

/** The schema after `augment`: crops make the shape of their field open. */
export type AugmentedSchema<S extends Schema, K extends keyof S, T extends readonly ImageTransform[]> = {
  readonly [N in keyof S]: N extends K ? Augmented<S[N], T> : S[N];
};

const augmentStream = 0x61756700;

/**
 * Passes the images of one float32 field [height, width, channels] through `transforms`, in this order, each time they
 * are read. Image i draws from (seed, epoch, i, place of the transform) alone, whatever the order or size of the batches.
 * @throws PolluxError SHAPE_MISMATCH or DTYPE_MISMATCH if the field does not hold float32 images.
 */
export function augment<S extends Schema, K extends keyof S & string, const T extends readonly ImageTransform[]>(
  dataset: Dataset<S>,
  field: K,
  ...transforms: T
): Dataset<AugmentedSchema<S, K, T>> {
  return new AugmentedDataset<S, AugmentedSchema<S, K, T>>(dataset, field, transforms);
}

class AugmentedDataset<S extends Schema, R extends Schema> extends Dataset<R> {
  readonly schema: R;
  readonly length: number;
  readonly #parent: Dataset<S>;
  readonly #field: string;
  readonly #transforms: readonly ImageTransform[];
  /** Shape before each transform, then the last one's result. */
  readonly #shapes: readonly ImageShape[];

  constructor(parent: Dataset<S>, field: string, transforms: readonly ImageTransform[]) {
    super();
    this.length = parent.length;
    this.#parent = parent;
    this.#field = field;
    this.#transforms = transforms;
    this.#shapes = shapesThrough(parent.schema, field, transforms);
    this.schema = { ...parent.schema, [field]: { shape: this.#shapes.at(-1)!, dtype: 'float32' } } as Schema as R;
  }

  override get(indices: Indices, options: GetOptions<R> = {}): Batch<R> | Promise<Batch<R>> {
    const { seed = 0, epoch = 0 } = options;
    const out: Batch = options.out ?? allocateBatch(this.schema, indices.length);
    const inputSize = elementCount(this.#shapes[0]!);
    const outputSize = elementCount(this.#shapes.at(-1)!);
    // Images that keep their size are read straight into place; others pass through a wider array.
    const wide = inputSize === outputSize ? out : { ...out, [this.#field]: this.#wideImages(indices.length) };
    const finish = (): Batch<R> => {
      this.#transform(wide[this.#field]!.data as Float32Array, indices, seed, epoch);
      if (wide !== out) compact(wide[this.#field]!.data as Float32Array, inputSize, out[this.#field]!.data as Float32Array, outputSize);
      return out as Batch<R>;
    };
    const read = this.#parent.get(indices, { out: wide as Batch<S>, seed, epoch });
    const settled = (given: unknown): Batch<R> => {
      settle(this.#parent, given, wide);
      return finish();
    };
    return read instanceof Promise ? read.then(settled) : settled(read);
  }

  #wideImages(count: number): Batch[string] {
    const field: { images: Field } = { images: { shape: this.#shapes[0]!, dtype: 'float32' } };
    return allocateBatch(field, count).images;
  }

  #transform(images: Float32Array, indices: Indices, seed: number, epoch: number): void {
    const stride = elementCount(this.#shapes[0]!);
    for (const [place, transform] of this.#transforms.entries()) {
      const stream = new PhiloxStream(seed, augmentStream + place);
      const shape = this.#shapes[place]!;
      for (let i = 0; i < indices.length; i++) transform.apply(images, i * stride, shape, stream.draw(indices[i]!, epoch));
    }
  }
}

function shapesThrough(schema: Schema, name: string, transforms: readonly ImageTransform[]): ImageShape[] {
  const field = schema[name];
  if (!field) throw new TypeError(`augment: there is no field "${name}"; the fields are ${Object.keys(schema).join(', ')}.`);
  if (field.dtype !== 'float32') {
    throw new PolluxError(
      'DTYPE_MISMATCH',
      `augment: field "${name}" is ${field.dtype}; images must be float32. Give uint8 data "levels", or map it.`,
    );
  }
  if (field.shape.length !== 3) {
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `augment: field "${name}" has shape [${field.shape.join(', ')}]; images are [height, width, channels].`,
    );
  }
  const shapes = [field.shape as ImageShape];
  for (const transform of transforms) shapes.push(transform.outputShape(shapes.at(-1)!));
  return shapes;
}

/** Gathers the front of each wide slot into a dense array. */
function compact(wide: Float32Array, wideSize: number, out: Float32Array, size: number): void {
  const count = out.length / size;
  for (let i = 0; i < count; i++) out.set(wide.subarray(i * wideSize, i * wideSize + size), i * size);
}
