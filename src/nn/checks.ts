import { PolluxError } from '../errors.js';
import { context } from '../graph/node.js';
import { sameShape, show } from '../graph/op.js';
import { TensorBase } from '../tensor/index.js';

/** Throws unless a size is an integer of at least `least`. */
export function requireSize(layer: string, name: string, value: number, least = 1): void {
  if (!Number.isInteger(value) || value < least)
    throw new RangeError(`${layer}: ${name} must be an integer of at least ${least}, got ${value}.`);
}

const where = (): string => (context.scope ? ` '${context.scope}'` : '');

/** Throws unless a layer was given a tensor: says what came, and where such a thing usually comes from. */
export function requireTensor(layer: string, x: unknown, role = 'a tensor'): asserts x is TensorBase {
  if (x instanceof TensorBase) return;
  const fields = typeof x === 'object' && x !== null && !Array.isArray(x) && !ArrayBuffer.isView(x) ? Object.keys(x) : [];
  const what = fields.length ? `an object of ${fields.join(', ')}` : Array.isArray(x) ? 'an Array' : x === null ? 'null' : typeof x;
  const remedy = fields.includes('last')
    ? ' A recurrent layer gives { output, last, state }: take one of them, or in a Sequential new LastState(layer) or new Outputs(layer).'
    : Array.isArray(x) || fields.includes('data')
      ? ' Make one with tensor(...).'
      : '';
  throw new TypeError(`${layer}${where()}: takes ${role}, but got ${what}.${remedy}`);
}

/** Throws unless the last axis has the layer's size. */
export function requireLast(layer: string, x: TensorBase, size: number, what: string): void {
  requireTensor(layer, x);
  if (x.shape.at(-1) === size) return;
  throw new PolluxError('SHAPE_MISMATCH', `${layer}${where()}: takes [..., ${size}], the last axis being the ${what}, but got ${show(x)}.`);
}

/** Throws unless the last axes have these sizes. */
export function requireTrailing(layer: string, x: TensorBase, shape: readonly number[]): void {
  requireTensor(layer, x);
  if (x.shape.length >= shape.length && sameShape(x.shape.slice(x.shape.length - shape.length), shape)) return;
  throw new PolluxError('SHAPE_MISMATCH', `${layer}${where()}: takes [..., ${shape.join(', ')}], but got ${show(x)}.`);
}

/** Throws unless the input is [N, H, W, C]. */
export function requireImage(layer: string, x: TensorBase, channels?: number): void {
  requireTensor(layer, x);
  if (x.shape.length === 4 && (channels === undefined || x.shape[3] === channels)) return;
  throw new PolluxError(
    'SHAPE_MISMATCH',
    `${layer}${where()}: takes images [N, H, W, ${channels ?? 'C'}], but got ${show(x)}.${x.shape.length === 3 ? ' Add an axis: x.expandDims(-1) for the channels, or x.expandDims(0) for a batch of one.' : ''}`,
  );
}

/** Throws unless the input is [N, L, C]. */
export function requireSequenceOf(layer: string, x: TensorBase, channels?: number): void {
  requireTensor(layer, x);
  if (x.shape.length === 3 && (channels === undefined || x.shape[2] === channels)) return;
  throw new PolluxError(
    'SHAPE_MISMATCH',
    `${layer}${where()}: takes sequences [N, L, ${channels ?? 'C'}], but got ${show(x)}.${x.shape.length === 2 ? ' Add an axis: x.expandDims(-1) for the channels, or x.expandDims(0) for a batch of one.' : ''}`,
  );
}

/** Throws unless both numbers of channels fall into so many groups; gives the input channels of one. */
export function requireGroups(layer: string, groups: number, inSize: number, outSize: number): number {
  requireSize(layer, 'groups', groups);
  if (inSize % groups !== 0 || outSize % groups !== 0)
    throw new RangeError(`${layer}: ${inSize} input and ${outSize} output channels do not both fall into ${groups} equal groups.`);
  return inSize / groups;
}

/** Throws unless the input is [batch, length, size]. */
export function requireSequence(layer: string, x: TensorBase, size: number, role = ''): void {
  requireTensor(layer, x, role || undefined);
  if (x.shape.length === 3 && x.shape[2] === size) return;
  throw new PolluxError(
    'SHAPE_MISMATCH',
    `${layer}${where()}: takes ${role && `${role} `}[batch, length, ${size}], but got ${show(x)}.${x.shape.length === 2 ? ' Add an axis for a batch of one: x.expandDims(0).' : ''}`,
  );
}
