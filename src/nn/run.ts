import { context, withContext } from '../graph/node.js';
import type { Tensor } from '../tensor/index.js';
import type { Layer } from './types.js';

/** Calls a layer. A function has no path of its own; its name among its neighbours serves. */
export function runLayer(layer: Layer, x: Tensor, name: string): Tensor {
  if (typeof layer !== 'function') return layer.forward(x);
  return withContext({ scope: context.scope ? `${context.scope}.${name}` : name }, () => layer(x));
}

/** Throws unless it is a module or a function. */
export function requireLayer(where: string, layer: unknown): void {
  if (typeof layer === 'function' || typeof (layer as { forward?: unknown } | undefined)?.forward === 'function') return;
  throw new TypeError(`${where} is ${layer === undefined ? 'undefined' : typeof layer}; expected a module or a function of tensors.`);
}
