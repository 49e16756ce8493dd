import { checkOptions, PolluxError } from '../errors.js';
import { context } from '../graph/node.js';
import type { Value } from '../graph/node.js';
import { show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { type DType, type Initializer, Parameter, type Shape, type Tensor, tensor, wrap } from '../tensor/index.js';
import { requireLast, requireSequence, requireSize, requireTensor } from './checks.js';
import { normal } from './initializers.js';
import { Module } from './module.js';

export interface PositionOptions {
  /** int32 [batch]: the place of each sample's first row, such as a cache's position. Default 0. */
  offset?: Tensor;
}

/** Sines and cosines of places [batch or 1, length, 1]: pairs (sin, cos) of falling frequency. */
function sinusoids(places: Value, size: number, base: number): Value {
  const half = Math.ceil(size / 2);
  const frequency = ops.exp(ops.mul(ops.iota([1, 1, half], 2, 'float32'), (-2 * Math.log(base)) / size));
  const angle = ops.mul(ops.cast(places, 'float32'), frequency);
  const [batch, length] = angle.shape as [number, number];
  const pairs = ops.reshape(ops.stack([ops.sin(angle), ops.cos(angle)], -1), [batch, length, 2 * half]);
  return 2 * half === size ? pairs : ops.sliceAxis(pairs, 2, 0, size);
}

/** The place of each row: [batch or 1, length, 1]. */
function placesOf(length: number, offset: Tensor | undefined): Value {
  if (offset !== undefined) requireTensor('Position', offset, 'an offset int32 [batch]');
  const places = ops.iota([1, length, 1], 1);
  return offset ? ops.add(ops.reshape(ops.cast(offset.value, 'int32'), [offset.shape[0]!, 1, 1]), places) : places;
}

/** The table [length, size] of sinusoidal positions (Vaswani et al. 2017): sin(p base^(-2i / size)) at 2i, its cosine at 2i + 1. */
export function sinusoidalTable(length: number, size: number, base = 10_000): Tensor<readonly [number, number], 'float32'> {
  requireSize('sinusoidalTable', 'length', length, 0);
  requireSize('sinusoidalTable', 'size', size);
  return wrap(ops.reshape(sinusoids(placesOf(length, undefined), size, base), [length, size]));
}

/** Adds sinusoidal positions to [batch, length, size], of any length. No weights. */
export class SinusoidalPosition extends Module {
  readonly base: number;

  constructor(
    readonly size: number,
    options: { base?: number } = {},
  ) {
    super();
    requireSize('SinusoidalPosition', 'size', size);
    checkOptions('SinusoidalPosition', options, ['base']);
    this.base = options.base ?? 10_000;
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>, options: PositionOptions = {}): Tensor<S, D> {
    checkOptions('SinusoidalPosition.forward', options, ['offset']);
    requireSequence('SinusoidalPosition', x, this.size);
    return wrap(ops.add(x.value, sinusoids(placesOf(x.shape[1]!, options.offset), this.size, this.base)));
  }
}

/** Adds a learned vector for each place to [batch, length, size]; `weight` is [maxLength, size]. */
export class LearnedPosition extends Module {
  readonly weight: Parameter<readonly [number, number], 'float32'>;

  constructor(
    readonly maxLength: number,
    readonly size: number,
    options: { weightInit?: Initializer } = {},
  ) {
    super();
    requireSize('LearnedPosition', 'maxLength', maxLength);
    requireSize('LearnedPosition', 'size', size);
    checkOptions('LearnedPosition', options, ['weightInit']);
    this.weight = new Parameter([maxLength, size] as const, options.weightInit ?? normal(0.02));
  }

  /** @throws SHAPE_MISMATCH for more rows than there are places; with an offset beyond them the run fails with INDEX_OUT_OF_RANGE. */
  forward<S extends Shape, D extends DType>(x: Tensor<S, D>, options: PositionOptions = {}): Tensor<S, D> {
    checkOptions('LearnedPosition.forward', options, ['offset']);
    requireSequence('LearnedPosition', x, this.size);
    const length = x.shape[1]!;
    if (length > this.maxLength)
      throw new PolluxError(
        'SHAPE_MISMATCH',
        `LearnedPosition${context.scope && ` '${context.scope}'`}: ${show(x)} has ${length} rows, but there are ${this.maxLength} places. Cut the sequence, or raise maxLength.`,
      );
    const { offset } = options;
    const table = this.weight.value;
    if (!offset) return wrap(ops.add(x.value, ops.sliceAxis(table, 0, 0, length)));
    const places = ops.reshape(placesOf(length, offset), [offset.shape[0]!, length]);
    return wrap(ops.add(x.value, ops.gather(table, places, 0)));
  }
}

export interface RotaryOptions {
  /** The longest wave is 2 pi base. Default 10000. */
  base?: number;
  /** How many numbers of each head are turned, from the first on. Default: all. */
  dimension?: number;
  /** Pairs of neighbours, as GPT-J, instead of halves, as Llama and GPT-NeoX. Default false. */
  interleaved?: boolean;
}

/**
 * Rotary positions (Su et al. 2021): turns pairs of numbers of each head of [batch, length, heads, size] by an angle that grows with
 * the place, so that products of queries and keys depend on their distance. No weights.
 */
export class RotaryPosition extends Module {
  readonly options: RotaryOptions;

  constructor(
    readonly headSize: number,
    options: RotaryOptions = {},
  ) {
    super();
    requireSize('RotaryPosition', 'headSize', headSize, 2);
    checkOptions('RotaryPosition', options, ['base', 'dimension', 'interleaved']);
    this.options = { ...options };
    const { dimension = headSize } = options;
    if (!Number.isInteger(dimension) || dimension % 2 || dimension < 2 || dimension > headSize)
      throw new RangeError(`RotaryPosition: dimension must be an even number from 2 to ${headSize}, got ${dimension}.`);
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D>, options: PositionOptions = {}): Tensor<S, D> {
    checkOptions('RotaryPosition.forward', options, ['offset']);
    requireLast('RotaryPosition', x, this.headSize, 'numbers of a head');
    return wrap(ops.rotary(x.value, { ...this.options, offset: options.offset?.value }));
  }
}

/** The slopes of ALiBi for `nn.attention` (Press et al. 2022): float32 [heads]. */
export function alibiSlopes(heads: number): Tensor<readonly [number], 'float32'> {
  requireSize('alibiSlopes', 'heads', heads);
  return tensor({ data: Float32Array.from(ops.alibiSlopes(heads)), shape: [heads] }) as Tensor<readonly [number], 'float32'>;
}
