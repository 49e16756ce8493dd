import { checkOptions, nearest, PolluxError } from '../errors.js';
import { ArrayDataset } from './array-dataset.js';
import type { Dataset, Field } from './dataset.js';
import type { Row } from './records.js';

export interface TabularOptions {
  /** Columns that predict. Default: all but the target. */
  features?: readonly string[];
  /** The column to predict. */
  target: string;
  /** Default: 'regression' if every target is a number, else 'classification'. */
  task?: 'classification' | 'regression';
  /** Subtract the mean of each numeric column and divide by its deviation. Default true. */
  normalize?: boolean;
  /** A missing value (empty, null, NaN): an error (default), or the column's mean; no category at all in a column of categories. */
  missing?: 'error' | 'mean';
}

/** Features of a row as numbers, and its target: a class number, or [1] number for regression. */
export type TabularDataset = Dataset<{
  readonly x: Field<readonly [number], 'float32'>;
  readonly y: Field<readonly number[], 'int32' | 'float32'>;
}>;

/** How one column becomes numbers; plain JSON. */
export type ColumnEncoding =
  | { readonly name: string; readonly mean: number; readonly deviation: number; readonly normalize: boolean }
  | { readonly name: string; readonly categories: readonly string[] };

/** What `fitTable` learnt: enough to encode other rows alike. Plain JSON. */
export interface TableEncoding {
  readonly features: readonly ColumnEncoding[];
  readonly target: string;
  /** Names of the classes by number; none for regression. */
  readonly classes?: readonly string[];
  readonly missing: 'error' | 'mean';
}

/** Tables write NaN in several ways. */
const isMissing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (typeof value === 'string' ? value === '' || value.toLowerCase() === 'nan' : typeof value === 'number' && Number.isNaN(value));
const numberOf = (value: unknown): number => (typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value));
const textOf = (value: unknown): string => String(value);

/** Collects rows of any source. */
async function collect(rows: Iterable<Row> | AsyncIterable<Row>): Promise<Row[]> {
  const found: Row[] = [];
  for await (const row of rows) found.push(row);
  return found;
}

/**
 * Learns how a table becomes tensors, from its training rows: numeric columns are normalised, columns of text become one-hot.
 * Then `encodeTable(rows, encoding)` makes the datasets, of training and of test rows alike.
 * @throws INVALID_ARGUMENT for no rows, an unknown column or a missing value.
 */
export async function fitTable(rows: Iterable<Row> | AsyncIterable<Row>, options: TabularOptions): Promise<TableEncoding> {
  checkOptions('fitTable', options, ['features', 'target', 'task', 'normalize', 'missing']);
  const table = await collect(rows);
  if (!table.length) throw new PolluxError('INVALID_ARGUMENT', 'fitTable: there are no rows.');
  const names = Object.keys(table[0]!);
  const { target, features = names.filter((name) => name !== target), normalize = true, missing = 'error' } = options;
  for (const name of [...features, target]) {
    if (names.includes(name)) continue;
    const near = nearest(name, names);
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `fitTable: there is no column "${name}"${near ? `; did you mean "${near}"?` : '.'} Columns: ${names.join(', ') || 'none'}.`,
    );
  }
  if (!features.length)
    throw new PolluxError('INVALID_ARGUMENT', `fitTable: beside the target "${target}" there is no column to predict from.`);
  for (const [i, row] of table.entries())
    for (const name of [...features, target])
      if (typeof row[name] === 'object' && row[name] !== null)
        throw new PolluxError(
          'INVALID_ARGUMENT',
          `fitTable: row ${i + 1} holds ${Array.isArray(row[name]) ? 'a list' : 'an object'} in ${name}; cells are numbers, texts or booleans. Flatten it first.`,
        );
  if (missing === 'error')
    for (const [i, row] of table.entries())
      for (const name of [...features, target])
        if (isMissing(row[name]))
          throw new PolluxError(
            'INVALID_ARGUMENT',
            `fitTable: row ${i + 1} has no ${name}. Fill it, leave the row out, or take { missing: 'mean' }.`,
          );
  const targets = table.map((row) => row[target]).filter((value) => !isMissing(value));
  const { task = targets.every((value) => Number.isFinite(numberOf(value))) ? 'regression' : 'classification' } = options;
  return {
    features: features.map((name) => fitColumn(table, name, normalize)),
    target,
    ...(task === 'classification' && { classes: [...new Set(targets.map(textOf))].sort(byName) }),
    missing,
  };
}

/** Numbers by size, texts by their letters. */
const byName = (a: string, b: string): number => Number(a) - Number(b) || (a < b ? -1 : a > b ? 1 : 0);

function fitColumn(table: readonly Row[], name: string, normalize: boolean): ColumnEncoding {
  const present = table.map((row) => row[name]).filter((value) => !isMissing(value));
  const numbers = present.map(numberOf);
  if (!numbers.every(Number.isFinite)) return { name, categories: [...new Set(present.map(textOf))].sort(byName) };
  const mean = numbers.reduce((sum, value) => sum + value, 0) / Math.max(1, numbers.length);
  const variance = numbers.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, numbers.length);
  return { name, mean, deviation: variance > 0 ? Math.sqrt(variance) : 1, normalize };
}

/**
 * Rows as samples: x float32 [features], y int32 [] (a class) or float32 [1].
 * @throws INVALID_ARGUMENT for a missing value (unless the encoding fills it) or a text in a numeric column; LABEL_OUT_OF_RANGE for a
 *   class that the training rows had not.
 */
export async function encodeTable(rows: Iterable<Row> | AsyncIterable<Row>, encoding: TableEncoding): Promise<TabularDataset> {
  const table = await collect(rows);
  const { features, target, classes } = encoding;
  const width = features.reduce((sum, column) => sum + ('categories' in column ? column.categories.length : 1), 0);
  const x = new Float32Array(table.length * width);
  const y = classes ? new Int32Array(table.length) : new Float32Array(table.length);
  for (const [i, row] of table.entries()) {
    let at = i * width;
    for (const column of features) at = encodeValue(row, i, column, encoding, x, at);
    y[i] = classes ? classOf(row, i, target, classes) : numericTarget(row, i, target);
  }
  return new ArrayDataset({
    x: { data: x, shape: [table.length, width] as const },
    y: { data: y, shape: (classes ? [table.length] : [table.length, 1]) as [number, ...number[]] },
  }) as unknown as TabularDataset;
}

function encodeValue(row: Row, i: number, column: ColumnEncoding, { missing }: TableEncoding, x: Float32Array, at: number): number {
  const value = row[column.name];
  const refuse = (what: string): never => {
    throw new PolluxError('INVALID_ARGUMENT', `encodeTable: row ${i + 1} ${what}.`);
  };
  if (isMissing(value) && missing === 'error') refuse(`has no ${column.name}`);
  if ('categories' in column) {
    const place = isMissing(value) ? -1 : column.categories.indexOf(textOf(value));
    // A category that training never saw is none of those that it did.
    if (place >= 0) x[at + place] = 1;
    return at + column.categories.length;
  }
  const number = isMissing(value) ? column.mean : numberOf(value);
  if (!Number.isFinite(number)) refuse(`has "${textOf(value)}" in the numeric column ${column.name}`);
  x[at] = column.normalize ? (number - column.mean) / column.deviation : number;
  return at + 1;
}

function classOf(row: Row, i: number, target: string, classes: readonly string[]): number {
  const place = classes.indexOf(textOf(row[target]));
  if (place >= 0) return place;
  throw new PolluxError(
    'LABEL_OUT_OF_RANGE',
    `encodeTable: row ${i + 1} has the class "${textOf(row[target])}"; training had ${classes.join(', ')}.`,
  );
}

function numericTarget(row: Row, i: number, target: string): number {
  const number = numberOf(row[target]);
  if (Number.isFinite(number) && !isMissing(row[target])) return number;
  throw new PolluxError('INVALID_ARGUMENT', `encodeTable: row ${i + 1} has no number in the target column ${target}.`);
}
