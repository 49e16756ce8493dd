import { checkOptions, PolluxError } from '../errors.js';
import type { Value } from '../graph/node.js';
import { show } from '../graph/op.js';
import * as ops from '../ops/index.js';
import { TensorBase } from './base.js';
import type { Shape } from './shapes.js';
import type { Tensor } from './tensor.js';
import { tensorValue, wrap } from './wrap.js';

/** Cotangent 1 for a scalar result. Throws for what has no gradient. */
function seedOf(loss: Value, where: string): Value {
  if (loss.shape.length !== 0 || loss.dtype !== 'float32') {
    throw new PolluxError(
      'SHAPE_MISMATCH',
      `${where}: the result must be a float32 scalar, got ${show(loss)}. Reduce it first: .mean() or .sum().`,
    );
  }
  return ops.constant(1, [], 'float32');
}

/**
 * Gradients of a scalar with respect to tensors, as lazy tensors. A tensor that the loss does not depend on has a gradient of
 * zero. Differentiable again.
 */
export function gradientsOf(loss: Tensor, wrt: readonly TensorBase[]): Tensor[] {
  return reachedGradients(loss, wrt).map((gradient, i) => gradient ?? wrap(ops.zerosLike(wrt[i]!.value)));
}

/** @internal The same, undefined where the loss does not depend on the tensor. */
export function reachedGradients(loss: Tensor, wrt: readonly TensorBase[]): (Tensor | undefined)[] {
  const result = tensorValue(loss, 'gradientsOf');
  const found = ops.gradients(
    [result],
    [seedOf(result, 'gradientsOf')],
    wrt.map((tensor) => tensor.value),
  );
  return found.map((gradient) => gradient && wrap(gradient));
}

type Differentiable = readonly Tensor[];

/** Arguments as fresh graph values, so that only their use inside `fn` counts. */
function differentiate<A extends Differentiable>(
  where: string,
  fn: (...args: A) => Tensor,
  args: A,
  wanted: readonly number[],
): { result: Tensor; gradients: Tensor[] } {
  const inputs = args.map((x, i) => {
    const value = tensorValue(x, `${where}, argument ${i}`);
    if (wanted.includes(i) && value.dtype !== 'float32') {
      throw new PolluxError(
        'DTYPE_MISMATCH',
        `${where}: argument ${i} is ${show(value)}; only float32 has gradients. Cast it, or leave it out of argnums.`,
      );
    }
    return ops.identity(value);
  });
  const result = fn(...(inputs.map((value) => wrap(value)) as unknown as A));
  if (!(result instanceof TensorBase))
    throw new TypeError(`${where}: the function must return a tensor${(result as unknown) instanceof Promise ? ', not a promise' : ''}.`);
  const value = result.value;
  const wrt = wanted.map((i) => inputs[i]!);
  const found = ops.gradients([value], [seedOf(value, where)], wrt);
  return { result, gradients: found.map((gradient, i) => wrap(gradient ?? ops.zerosLike(wrt[i]!))) };
}

export interface GradOptions {
  /** Which arguments to differentiate with respect to. Default: the first. */
  argnums?: number | readonly number[];
}

type Result<N> = N extends readonly number[] ? Tensor[] : Tensor;

/** The gradient of a scalar function with respect to its first argument (or `argnums`): a function of the same arguments. */
export function grad<A extends Differentiable>(fn: (...args: A) => Tensor): (...args: A) => Tensor<A[0]['shape'], 'float32'>;
export function grad<A extends Differentiable, const N extends number | readonly number[]>(
  fn: (...args: A) => Tensor,
  options: { argnums: N },
): (...args: A) => Result<N>;
export function grad<A extends Differentiable>(fn: (...args: A) => Tensor, options: GradOptions = {}): (...args: A) => unknown {
  const both = valueAndGrad(fn, options as { argnums: number });
  return (...args) => both(...args)[1];
}

/** Value and gradient together: `const [loss, slope] = valueAndGrad(f)(x)`. */
export function valueAndGrad<A extends Differentiable>(
  fn: (...args: A) => Tensor,
): (...args: A) => [value: Tensor<readonly [], 'float32'>, gradient: Tensor<A[0]['shape'], 'float32'>];
export function valueAndGrad<A extends Differentiable, const N extends number | readonly number[]>(
  fn: (...args: A) => Tensor,
  options: { argnums: N },
): (...args: A) => [value: Tensor<readonly [], 'float32'>, gradient: Result<N>];
export function valueAndGrad<A extends Differentiable>(
  fn: (...args: A) => Tensor,
  options: GradOptions = {},
): (...args: A) => [Tensor, unknown] {
  if (typeof fn !== 'function') throw new TypeError(`grad: expected a function of tensors, got ${typeof fn}.`);
  checkOptions('grad', options, ['argnums']);
  const { argnums = 0 } = options;
  const wanted = typeof argnums === 'number' ? [argnums] : argnums;
  return (...args) => {
    for (const i of wanted)
      if (!(i >= 0 && i < args.length)) throw new RangeError(`grad: argnums names argument ${i}, but the call has ${args.length}.`);
    const { result, gradients } = differentiate('grad', fn, args, wanted);
    return [result, typeof argnums === 'number' ? gradients[0] : gradients];
  };
}

/**
 * A function with a gradient of its own: `forward` computes, `backward` gets the cotangent of the result and the inputs and
 * returns the cotangents of the inputs (undefined: none).
 */
export function customGradient<A extends Differentiable>(
  forward: (...args: A) => Tensor,
  backward: (cotangent: Tensor, inputs: A, output: Tensor) => readonly (Tensor | undefined)[],
): (...args: A) => Tensor {
  if (typeof forward !== 'function' || typeof backward !== 'function') {
    throw new TypeError('customGradient: expected two functions, customGradient(forward, backward).');
  }
  const wrapped = ops.customGradient(
    (...inputs: Value[]) => forward(...(inputs.map((value) => wrap(value)) as unknown as A)).value,
    (cotangent: Value, inputs: readonly Value[], output: Value) =>
      backward(wrap(cotangent), inputs.map((value) => wrap(value)) as unknown as A, wrap(output)).map((x) => x?.value),
  );
  return (...args) => wrap(wrapped(...args.map((x) => tensorValue(x, 'customGradient'))));
}

/**
 * A function whose inner values are not kept for the backward pass but computed again there: memory for time
 * (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). Results and gradients have the same bits.
 */
export function checkpoint<A extends Differentiable, R extends Tensor>(fn: (...args: A) => R): (...args: A) => R {
  if (typeof fn !== 'function') throw new TypeError(`checkpoint: expected a function of tensors, got ${typeof fn}.`);
  return (...args) => {
    const inputs = args.map((x) => tensorValue(x, 'checkpoint'));
    return ops.checkpoint((...values: Value[]) => fn(...(values.map((value) => wrap(value)) as unknown as A)), inputs) as R;
  };
}

export type { Shape };
