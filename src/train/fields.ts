import type { DataLoader, Dataset, Schema } from '../data/index.js';
import { PolluxError } from '../errors.js';
import { type HostData, Tensor } from '../tensor/index.js';

/** What a batch holds under a name: host data as loaders give them, or a tensor. */
export type FieldData = HostData | Tensor;

/** A batch whose fields have at least these names. */
export type BatchData<F extends string = string> = { readonly [K in F]: FieldData };

/** The fields of a batch as the traced step sees them. */
export type BatchTensors<F extends string = string> = { readonly [K in F]: Tensor };

type SchemaOf<F extends string> = { [K in F]: Schema[string] };

/** Samples with an input `x` and a target `y`, or with the fields that are named. */
export type Samples<F extends string = 'x' | 'y'> = Dataset<SchemaOf<F>>;

/**
 * Where training reads its batches: a dataset (a loader is made for it), a loader, anything that can be looped over with `for
 * await`, or a function that makes such a thing for each pass, as a generator function does.
 */
export type TrainingData<F extends string = 'x' | 'y'> =
  | Samples<F>
  | DataLoader<SchemaOf<F>>
  | AsyncIterable<BatchData<F>>
  | Iterable<BatchData<F>>
  | (() => AsyncIterable<BatchData<F>> | Iterable<BatchData<F>>);

/** A batch as the step takes it. */
export type BatchArguments = Record<string, FieldData>;

const isField = (value: unknown): value is FieldData =>
  value instanceof Tensor ||
  (typeof value === 'object' && value !== null && 'data' in value && 'shape' in value && ArrayBuffer.isView(value.data));

/** Fields of the names, in their order. @throws INVALID_ARGUMENT that names a field which is missing. */
export function takeFields(batch: unknown, names: readonly string[]): BatchArguments {
  const fields = fieldsOf(batch);
  return Object.fromEntries(
    names.map((name) => {
      const found = fields[name];
      if (found !== undefined) return [name, found];
      throw new PolluxError(
        'INVALID_ARGUMENT',
        `Trainer: the batch has no field "${name}"; it has ${Object.keys(fields).join(', ') || 'no tensors at all'}. Name its fields: ` +
          "new Trainer(model, { inputs: ['ids', 'mask'], target: 'labels', ... }).",
      );
    }),
  );
}

/** All fields that a step can take; texts and the like are left behind. */
export function fieldsOf(batch: unknown): BatchArguments {
  if (typeof batch !== 'object' || batch === null)
    throw new TypeError(`Trainer: a batch must be an object of fields, such as { x, y }, got ${batch === null ? 'null' : typeof batch}.`);
  return Object.fromEntries(Object.entries(batch).filter((entry): entry is [string, FieldData] => isField(entry[1])));
}

/** Samples of a batch: the first size of its first field that has one. */
export const samplesOf = (batch: BatchArguments): number => Object.values(batch).find(({ shape }) => shape.length > 0)?.shape[0] ?? 1;
