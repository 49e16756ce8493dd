import { nearest, PolluxError } from '../errors.js';
import { sameShape, sizeOf } from '../graph/op.js';

interface Shaped {
  readonly shape: readonly number[];
  readonly dtype: string;
}

interface Given extends Shaped {
  readonly data: ArrayLike<number> | ArrayLike<bigint>;
}

const some = (names: readonly string[]): string =>
  `${names.slice(0, 8).join(', ')}${names.length > 8 ? ` and ${names.length - 8} more` : ''}`;

/** Compares the names and shapes of a model with those of a file, and throws one error that lists every difference. */
export function matchNames(own: ReadonlyMap<string, Shaped>, given: ReadonlyMap<string, Given>, strict: boolean): void {
  const missing = [...own.keys()].filter((name) => !given.has(name));
  const unexpected = [...given.keys()].filter((name) => !own.has(name));
  const misfits = [...own].flatMap(([name, { shape, dtype }]) => {
    const found = given.get(name);
    if (!found) return [];
    if (sameShape(found.shape, shape) && found.dtype === dtype) {
      const count = sizeOf(shape);
      return found.data.length === count
        ? []
        : [`${name}: ${dtype}[${shape.join(', ')}] takes ${count} numbers, the data has ${found.data.length}`];
    }
    return [`${name}: the model has ${dtype}[${shape.join(', ')}], the file ${found.dtype}[${found.shape.join(', ')}]`];
  });
  if (!misfits.length && (!strict || (!missing.length && !unexpected.length))) return;
  const lines = ['The values do not fit the model; nothing was changed.'];
  if (missing.length) lines.push(`Missing: ${some(missing)}.`);
  if (unexpected.length)
    lines.push(
      `Unexpected: ${some(
        unexpected.map((name) => {
          const near = nearest(name, missing);
          return near ? `${name} (is it ${near}?)` : name;
        }),
      )}.`,
    );
  if (misfits.length) lines.push(`Other shapes: ${some(misfits)}.`);
  throw new PolluxError('SHAPE_MISMATCH', lines.join(' '));
}
