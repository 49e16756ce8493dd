/**
 * Shapes at compile time. Three kinds of size: a literal (checked), `number` (fits anything), and an unknown rank (`any`).
 * A rule that fails yields `never`, and the argument's type then carries a sentence that the compiler shows at the call.
 */
import type { DType } from '../graph/dtype.js';

/** Sizes of axes, outermost first. In types, `number` is a size that is not known. */
export type Shape = readonly number[];
/** The shape of a tensor whose rank the compiler does not know. */
// biome-ignore lint/suspicious/noExplicitAny: `any` is how an open shape stays assignable both ways
export type OpenShape = any;
/** The dtype that the compiler does not know. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export type OpenDType = any;

type IsAny<T> = 0 extends 1 & T ? true : false;
/** Rank not known: a bare `Tensor`, or `number[]` as shape. */
type Dynamic<S extends Shape> = IsAny<S> extends true ? true : number extends S['length'] ? true : false;
/** Two sizes agree if equal or if one of them is only known at run time. */
type Fits<A extends number, B extends number> = number extends A ? true : number extends B ? true : [A] extends [B] ? true : false;
// biome-ignore lint/suspicious/noExplicitAny: `any` inside a tuple pattern matches every element type
export type Last<S extends Shape> = IsAny<S> extends true ? number : S extends readonly [...any[], infer L extends number] ? L : number;
// biome-ignore lint/suspicious/noExplicitAny: as above
export type Init<S extends Shape> = S extends readonly [...infer I extends Shape, any] ? I : number[];
type Text<S extends Shape> = S extends readonly [infer H extends number, ...infer R extends Shape]
  ? `${number extends H ? '?' : H}${R extends readonly [] ? '' : `,${Text<R>}`}`
  : '';
/** A shape as people write it: `?,28,3`, or `...,784` when only the last size is known. */
export type Show<S extends Shape> =
  IsAny<S> extends true ? '...' : number extends S['length'] ? `...,${number extends Last<S> ? '?' : Last<S>}` : Text<S>;

/** Tuples with n leading places, for picking an axis without recursion (rank <= 6). */
type Places = [
  [],
  [number],
  [number, number],
  [number, number, number],
  [number, number, number, number],
  [number, number, number, number, number],
  [number, number, number, number, number, number],
];
type PlacesKey = 0 | 1 | 2 | 3 | 4 | 5 | 6;
/** Axis -1 of a rank 3 shape is 2; `number` when it cannot be told. */
type Axis<S extends Shape, A extends number> = `${A}` extends `-${infer P extends PlacesKey}`
  ? S extends readonly [...infer H, ...Places[P]]
    ? H['length']
    : number
  : A;

type BroadcastSize<A extends number, B extends number> = A extends 1
  ? B
  : B extends 1
    ? A
    : number extends A
      ? B
      : number extends B
        ? A
        : A extends B
          ? A
          : never;
/** NumPy broadcasting from the right, one step an axis; `never` when it fails. */
type Zip<A extends Shape, B extends Shape, Out extends Shape = []> = A extends readonly [...infer AI extends Shape, infer AL extends number]
  ? B extends readonly [...infer BI extends Shape, infer BL extends number]
    ? [BroadcastSize<AL, BL>] extends [never]
      ? never
      : Zip<AI, BI, [BroadcastSize<AL, BL>, ...Out]>
    : readonly [...A, ...Out]
  : readonly [...B, ...Out];
// biome-ignore-start lint/suspicious/noExplicitAny: `any` is how an unknown rank is written
export type Broadcast<A extends Shape, B extends Shape> = Dynamic<A> extends true ? any : Dynamic<B> extends true ? any : Zip<A, B>;

export type MatMul<A extends Shape, B extends Shape> =
  Dynamic<A> extends true
    ? any
    : Dynamic<B> extends true
      ? any
      : A extends readonly [...infer AB extends Shape, infer M extends number, infer K extends number]
        ? B extends readonly [...infer BB extends Shape, infer K2 extends number, infer N extends number]
          ? Fits<K, K2> extends true
            ? Zip<AB, BB, [M, N]>
            : never
          : never
        : never;

export type Reduce<S extends Shape, A extends number, Keep extends boolean> =
  Dynamic<S> extends true ? any : number extends A ? any : DropOrOne<S, Axis<S, A>, Keep>;
type DropOrOne<S extends Shape, I extends number, Keep extends boolean> = Keep extends true
  ? { readonly [K in keyof S]: K extends `${I}` ? 1 : S[K] }
  : I extends PlacesKey
    ? S extends readonly [...Places[I], number, ...infer After extends Shape]
      ? S extends readonly [...infer Before extends Shape, number, ...After]
        ? readonly [...Before, ...After]
        : any
      : never
    : any;
/** Sizes along the joined axis are added at run time. */
export type Concat<S extends Shape, A extends number> =
  Dynamic<S> extends true ? any : { readonly [K in keyof S]: K extends `${Axis<S, A>}` ? number : S[K] };
/** -1 becomes `number`; element counts are compared at run time. */
export type Reshape<N extends Shape> = Dynamic<N> extends true ? any : { readonly [K in keyof N]: N[K] extends -1 ? number : N[K] };
export type Permute<S extends Shape, P extends Shape> =
  Dynamic<S> extends true ? any : { readonly [K in keyof P]: P[K] extends keyof S ? S[P[K]] & number : number };
export type Swap<S extends Shape> =
  Dynamic<S> extends true
    ? any
    : S extends readonly [...infer B extends Shape, infer M extends number, infer N extends number]
      ? readonly [...B, N, M]
      : S;
// biome-ignore-end lint/suspicious/noExplicitAny: end

/** `unknown` if the rule gave a shape, else the sentence to show. */
export type CanBroadcast<Op extends string, S extends Shape, T extends Shape> = [Broadcast<S, T>] extends [never]
  ? `${Op}: shapes [${Show<S>}] and [${Show<T>}] do not broadcast`
  : unknown;
export type CanMatMul<S extends Shape, T extends Shape> = [MatMul<S, T>] extends [never]
  ? `matmul: [${Show<S>}] x [${Show<T>}] do not fit`
  : unknown;
export type SameType<D extends DType, E extends DType> =
  IsAny<D | E> extends true ? unknown : [D & E] extends [never] ? `dtype ${D} does not go with ${E}: cast one of them` : unknown;

/** Nested arrays of numbers or booleans, as in `tensor([[1, 2], [3, 4]])`. */
export type Nested = number | boolean | readonly Nested[];
export type ShapeOf<T> = Nested extends T
  ? // biome-ignore lint/suspicious/noExplicitAny: nested arrays of unknown depth have an unknown rank
    any
  : T extends readonly unknown[]
    ? T extends readonly []
      ? readonly [0]
      : readonly [T['length'], ...ShapeOf<T[0]>]
    : readonly [];
export type DTypeOf<T> = Nested extends T ? DType : T extends readonly (infer E)[] ? DTypeOf<E> : T extends boolean ? 'bool' : 'float32';

/** Rank equal (or open) and last size equal (or open). In NHWC the last axis holds the features or the channels. */
export type Fit<S extends Shape, A extends Shape> = Fits<S['length'], A['length']> extends true ? Fits<Last<S>, Last<A>> : false;
export type Takes<S extends Shape, A extends Shape> = Fit<S, A> extends true ? unknown : `takes [${Show<A>}] but got [${Show<S>}]`;
export type Spatial<C extends number> = readonly [number, number, number, C];
export type Sequences<C extends number> = readonly [number, number, C];
/** Batch and channels survive pooling, the spatial sizes are computed at run time. */
export type Pooled<S extends Shape> = readonly [S[0], number, number, Last<S>];
