import { context, withContext } from '../graph/node.js';
import type { Value } from '../graph/node.js';

let nextRegion = 1;

/**
 * Runs `fn`, whose inner values are not kept for the backward pass: gradients compute them again from `inputs` (Chen et al. 2016,
 * "Training Deep Nets with Sublinear Memory Cost"). A checkpoint inside another belongs to the outer one.
 */
export const checkpoint = <R>(fn: (...inputs: Value[]) => R, inputs: readonly Value[]): R =>
  withContext({ region: context.region || nextRegion++ }, () => fn(...inputs));
