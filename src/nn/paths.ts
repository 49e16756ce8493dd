import { nearest, PolluxError } from '../errors.js';
import { type Tensor, TensorBase } from '../tensor/index.js';
import type { Layer } from './types.js';
import type { Module } from './module.js';
import { eachEntry, isModule } from './walk.js';

interface Place {
  readonly holder: object;
  readonly key: string;
  readonly value: unknown;
}

/** What stands at a path below `root`, by any of its names. Keys may hold dots themselves. */
function find(root: object, path: string): Place | undefined {
  let found: Place | undefined;
  eachEntry(root, (key, value) => {
    if (found) return;
    if (key === path) found = { holder: root, key, value };
    else if (typeof value === 'object' && value !== null && path.startsWith(`${key}.`)) found = find(value, path.slice(key.length + 1));
  });
  return found;
}

function unknownPath(where: string, root: Module, path: string): PolluxError {
  const known = [...root.modules().keys(), ...root.stateDictionary().keys()].filter((name) => name !== '');
  const near = nearest(path, known);
  return new PolluxError(
    'INVALID_ARGUMENT',
    `${where}: nothing stands at '${path}'.${near ? ` Is it '${near}'?` : ''} Paths: ${known.slice(0, 12).join(', ')}${known.length > 12 ? ', ...' : ''}.`,
  );
}

/** The module or tensor at a path. */
export function lookUp(root: Module, path: string): Module | Tensor {
  if (path === '') return root;
  const value = find(root, path)?.value;
  if (typeof value === 'object' && value !== null && (isModule(value) || value instanceof TensorBase)) return value as Module | Tensor;
  throw unknownPath('get', root, path);
}

/** Puts another layer at a path. */
export function putAt(root: Module, path: string, layer: Layer | Module): void {
  const place = find(root, path);
  if (!place || place.value instanceof TensorBase) throw unknownPath('replace', root, path);
  const { holder, key } = place;
  if (Array.isArray(holder)) holder[Number(key)] = layer;
  else if (holder instanceof Map) {
    for (const own of holder.keys()) if (String(own) === key) holder.set(own, layer);
  } else if (isModule(holder)) holder.setField(key, layer);
}
