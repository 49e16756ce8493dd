import { checkOptions, PolluxError } from '../errors.js';
import { concat, type DType, type Shape, type Spatial, type Takes, type Tensor } from '../tensor/index.js';
import { requireImage, requireSize } from './checks.js';
import { Conv2d } from './conv2d.js';
import { Module } from './module.js';
import { adaptiveAvgPool2d, adaptiveMaxPool2d } from './poolingAdaptive.js';
import type { io } from './types.js';
import { upsample } from './upsample.js';

/**
 * Maps of several scales made of the levels of a backbone (Lin et al. 2017): each level goes through a 1x1 convolution (`lateral`), the
 * coarser map, enlarged to its size, is added, and a 3x3 convolution (`smooth`) follows. forward takes the levels [N, H_i, W_i, C_i] from the
 * finest on, and gives as many maps [N, H_i, W_i, outChannels].
 */
export class FeaturePyramid extends Module {
  readonly lateral: readonly Conv2d[];
  readonly smooth: readonly Conv2d[];

  constructor(
    readonly channels: readonly number[],
    readonly outChannels: number,
  ) {
    super();
    if (!channels.length) throw new RangeError('FeaturePyramid: needs the channels of one level at least.');
    this.lateral = channels.map((size) => new Conv2d(size, outChannels, 1));
    this.smooth = channels.map(() => new Conv2d(outChannels, outChannels, 3, { padding: 1 }));
  }

  forward(levels: readonly Tensor[]): Tensor[] {
    if (levels.length !== this.channels.length)
      throw new PolluxError('SHAPE_MISMATCH', `FeaturePyramid: takes ${this.channels.length} levels, got ${levels.length}.`);
    const maps: Tensor[] = [];
    let coarser: Tensor | undefined;
    for (let i = levels.length - 1; i >= 0; i--) {
      const own: Tensor = this.lateral[i]!.forward(levels[i]!);
      const size = [own.shape[1]!, own.shape[2]!] as const;
      const sum: Tensor = coarser ? own.add(upsample({ size })(coarser)) : own;
      coarser = sum;
      maps.unshift(this.smooth[i]!.forward(sum));
    }
    return maps;
  }
}

export interface SpatialPyramidPoolingOptions {
  /** Default 'max'. */
  mode?: 'max' | 'average';
}

/** Pools images of any size over grids of n x n windows, side by side: [N, H, W, C] to [N, (sum of n^2) C] (He et al. 2015). */
export class SpatialPyramidPooling extends Module {
  declare readonly [io]?: [Spatial<number>, readonly [number, number]];
  readonly mode: 'max' | 'average';

  constructor(
    readonly grids: readonly number[] = [4, 2, 1],
    options: SpatialPyramidPoolingOptions = {},
  ) {
    super();
    checkOptions('SpatialPyramidPooling', options, ['mode']);
    for (const grid of grids) requireSize('SpatialPyramidPooling', 'a grid', grid);
    this.mode = options.mode ?? 'max';
  }

  forward<S extends Shape, D extends DType>(x: Tensor<S, D> & Takes<S, Spatial<number>>): Tensor<readonly [S[0], number], D>;
  forward(x: Tensor): Tensor {
    requireImage('SpatialPyramidPooling', x);
    const pool = this.mode === 'max' ? adaptiveMaxPool2d : adaptiveAvgPool2d;
    return concat(
      this.grids.map((grid) => (pool(grid)(x) as Tensor).flatten()),
      -1,
    );
  }
}
