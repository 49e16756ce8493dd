import type { DType, Last, Init, Pooled, Sequences, Shape, Show, Spatial, Takes, Tensor } from '../tensor/index.js';
import type { Fit } from '../tensor/index.js';

// biome-ignore-start lint/suspicious/noExplicitAny: `any` is how an open shape is written
/** Type-only mark of the shapes that a layer takes and gives; 'same' keeps the shape, 'pool' keeps batch and channels. */
export declare const io: unique symbol;
export interface InputOutput<T> {
  readonly [io]?: T;
}

/** A function of one tensor that keeps its shape: an activation. */
export interface Elementwise extends InputOutput<'same'> {
  <S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D>;
}
/** A function over the spatial axes of [N, H, W, C]. */
export interface Pool extends InputOutput<'pool'> {
  <S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Spatial<number>>): Tensor<Pooled<S>, D>;
}
/** A function along [N, L, C]. */
export interface Pool1d extends InputOutput<'pool1d'> {
  <S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Sequences<number>>): Tensor<readonly [S[0], number, Last<S>], D>;
}
/** [N, ..., C] to [N, C]. */
export interface GlobalPool extends InputOutput<'global'> {
  <S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<readonly [S[0], Last<S>], D>;
}
/** [N, ...] to [N, product]. */
export type Flatten = <S extends Shape, D extends DType>(x: Tensor<S, D>) => Tensor<readonly [S[0], number], D>;

/** What a Sequential holds: one tensor in, one tensor out. */
export type Layer = { forward(x: any): Tensor } | ((x: any) => Tensor);

/** A layer with sizes that its type knows. */
interface Named<N extends string, I extends number, O extends number> {
  readonly layerName?: N;
  readonly inSize: I;
  readonly outSize: O;
}

/** [takes, gives]: the mark of a library layer, else read off the user's forward or function. */
type InOut<M> = M extends { readonly [io]?: infer P }
  ? unknown extends P
    ? Declared<M>
    : 'same' extends P
      ? [any, 'same']
      : 'pool' extends P
        ? [Spatial<number>, 'pool']
        : 'pool1d' extends P
          ? [Sequences<number>, 'pool1d']
          : 'global' extends P
            ? [any, 'global']
            : NonNullable<P>
  : Declared<M>;
type Declared<M> = M extends { forward(x: Tensor<infer A, any>): Tensor<infer B, any> }
  ? [A, B]
  : M extends (x: Tensor<infer A, any>) => Tensor<infer B, any>
    ? [A, B]
    : [any, any];
type TakesOf<M> = InOut<M> extends [infer A extends Shape, any] ? A : any;
type IsAny<T> = 0 extends 1 & T ? true : false;
/** Shape after one layer. The batch size is carried on when the layer states a plain rank. */
type Step<M, S extends Shape> =
  InOut<M> extends [any, infer B]
    ? IsAny<B> extends true
      ? any
      : B extends 'same'
        ? S
        : B extends 'pool'
          ? Pooled<S>
          : B extends 'pool1d'
            ? readonly [S[0], number, Last<S>]
            : B extends 'global'
              ? readonly [S[0], Last<S>]
              : B extends readonly [number, ...infer After extends Shape]
                ? readonly [S[0], ...After]
                : B extends Shape
                  ? readonly [...Init<S>, Last<B>]
                  : any
    : any;
type NameOf<M> = M extends Named<infer N extends string, infer I, infer O> ? `${N}(${I}, ${O})` : 'this layer';
/** Per layer `unknown`, or a sentence at the first one that does not fit. Tail-recursive. */
export type Chain<L, S extends Shape = any, Done extends readonly unknown[] = []> = L extends readonly [infer M, ...infer R]
  ? Fit<S, TakesOf<M>> extends true
    ? Chain<R, Step<M, S>, [...Done, unknown]>
    : [...Done, `${NameOf<M>} takes [${Show<TakesOf<M>>}] but the layer before gives [${Show<S>}]`, ...R]
  : Done;
/** `infer T` settles each step before the next: with it 200 layers pass, without it the compiler gives up below 100. */
export type Run<L, S extends Shape> = L extends readonly [infer M, ...infer R]
  ? Step<M, S> extends infer T extends Shape
    ? Run<R, T>
    : any
  : L extends readonly []
    ? S
    : any;
export type In<L> = L extends readonly [infer M, ...infer R] ? (InOut<M>[1 & keyof InOut<M>] extends 'same' ? In<R> : TakesOf<M>) : any;
export type Fitted<L extends readonly Layer[], C = Chain<L>> = { [K in keyof L]: L[K] & (K extends keyof C & string ? C[K] : unknown) };
// biome-ignore-end lint/suspicious/noExplicitAny: end
