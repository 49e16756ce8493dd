import { PolluxError } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import type { Value } from '../graph/node.js';
import { show } from '../graph/op.js';
import { generator } from './random.js';
import type { OpenDType, OpenShape, Shape } from './shapes.js';
import { Storage } from './storage.js';
import { Tensor } from './tensor.js';
import { hashStream } from './trace.js';

/** The random source of a parameter's first value. */
export interface DrawSource {
  readonly state: Value;
  readonly stream: number;
}

/** Builds the first value of a parameter; nothing runs before the parameter is used. */
export type Initializer = (shape: readonly number[], source: DrawSource) => Value;

/**
 * A tensor that training changes. It is drawn lazily, on first use: the random stream comes from its path in the model, so a
 * layer keeps its first weights when others are added beside it.
 */
export class Parameter<out S extends Shape = OpenShape, out D extends DType = OpenDType> extends Tensor<S, D> {
  /** False: `minimize` leaves it alone. */
  trainable = true;
  readonly #init: Initializer;
  #drawNumber: bigint | undefined;

  constructor(shape: S, init: Initializer, dtype: D = 'float32' as D) {
    super({ shape, dtype });
    this.#init = init;
  }

  override get isParameter(): boolean {
    return true;
  }

  /** @internal Tells the parameter its path and the number of its model, once; both enter its random stream. */
  place(path: string, modelNumber: bigint): void {
    this.name ??= path;
    this.#drawNumber ??= modelNumber;
  }

  /** @internal */
  protected override initialise(): Value {
    this.#drawNumber ??= generator.step++;
    const state = new Storage([3], 'int64', { host: new BigInt64Array([generator.seed, this.#drawNumber, 0n]) }).leaf;
    const pending = this.#init(this.shape, { state, stream: hashStream(this.name ?? 'parameter') });
    if (show(pending) !== show(this)) {
      throw new PolluxError('SHAPE_MISMATCH', `The initialiser of ${this.label()} gave ${show(pending)}.`);
    }
    return this.become(new Storage(this.shape, this.dtype, { pending }).leaf);
  }
}
