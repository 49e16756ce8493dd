import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Options } from 'csv-parse';
import { checkOptions, PolluxError } from '../errors.js';
import { ioFailed } from '../io/atomic.js';
import { optional } from './packages.js';

/** A row of a table: values by the names of their columns. */
export type Row = Readonly<Record<string, unknown>>;

export interface CsvOptions {
  /** Default ','. */
  delimiter?: string;
  /** Names of the columns. Default: the first line has them. */
  columns?: readonly string[];
  /** Lines that begin with it are left out. */
  comment?: string;
}

/**
 * The rows of a CSV file (RFC 4180: quotes, line breaks within them), read as a stream; all values are text.
 * @throws IO_FAILED; FILE_CORRUPT with the line of a row that has too many or too few values, or an open quote.
 */
export async function* readCsv(file: string, options: CsvOptions = {}): AsyncGenerator<Record<string, string>> {
  checkOptions('readCsv', options, ['delimiter', 'columns', 'comment']);
  const { delimiter = ',', columns, comment } = options;
  const { parse } = await import('csv-parse');
  const settings: Options = {
    bom: true,
    columns: columns ? [...columns] : (names: string[]) => distinct(file, names),
    delimiter,
    skip_empty_lines: true,
    trim: true,
    ...(comment && { comment }),
  };
  const source = createReadStream(file);
  const rows = source.pipe(parse(settings));
  source.on('error', (error) => rows.destroy(error));
  try {
    for await (const row of rows) yield row as Record<string, string>;
  } catch (error) {
    const { code, message, lines } = error as Error & { code?: string; lines?: number };
    if (!code?.startsWith('CSV_')) throw ioFailed('read', file, error);
    throw new PolluxError('FILE_CORRUPT', `${file}, line ${lines}: ${message}.`, { cause: error });
  } finally {
    source.destroy();
  }
}

/** The names of the columns; of two with one name a row could keep one value only. */
function distinct(file: string, names: string[]): string[] {
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice === undefined) return names;
  throw new PolluxError('FILE_CORRUPT', `${file}: two columns are called "${twice}". Name them all: readCsv(file, { columns: [...] }).`);
}

/**
 * The values of a file of JSON lines (one JSON value a line; empty lines are left out), read as a stream.
 * @throws IO_FAILED; FILE_CORRUPT with the number of a line that is no JSON.
 */
export async function* readJsonLines<T = Row>(file: string): AsyncGenerator<T> {
  const source = createReadStream(file, 'utf8');
  let failure: unknown;
  source.on('error', (error) => {
    failure = error;
  });
  let number = 0;
  try {
    for await (const line of createInterface({ input: source, crlfDelay: Infinity })) {
      number++;
      const text = number === 1 ? line.replace(/^\ufeff/, '') : line;
      if (text.trim()) yield parseLine(file, number, text) as T;
    }
  } catch (error) {
    throw ioFailed('read', file, error);
  } finally {
    source.destroy();
  }
  if (failure) throw ioFailed('read', file, failure);
}

function parseLine(file: string, number: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PolluxError('FILE_CORRUPT', `${file}, line ${number}: ${(cause as Error).message}.`, { cause });
  }
}

/**
 * The rows of a Parquet file, through the packages hyparquet and hyparquet-compressors (optional: `npm install` both).
 * @throws IO_FAILED, FILE_CORRUPT, UNSUPPORTED if the packages are missing.
 */
export async function* readParquet(file: string, options: { columns?: readonly string[] } = {}): AsyncGenerator<Row> {
  checkOptions('readParquet', options, ['columns']);
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await optional(
    'readParquet',
    'hyparquet',
    () => import('hyparquet'),
  );
  const { compressors } = await optional('readParquet', 'hyparquet-compressors', () => import('hyparquet-compressors'));
  let source: Awaited<ReturnType<typeof asyncBufferFromFile>>;
  try {
    source = await asyncBufferFromFile(file);
  } catch (error) {
    throw ioFailed('read', file, error);
  }
  try {
    const metadata = await parquetMetadataAsync(source);
    let start = 0;
    for (const group of metadata.row_groups) {
      const end = start + Number(group.num_rows);
      yield* await parquetReadObjects({
        file: source,
        metadata,
        compressors,
        rowStart: start,
        rowEnd: end,
        ...(options.columns && { columns: [...options.columns] }),
      });
      start = end;
    }
  } catch (cause) {
    if (cause instanceof PolluxError) throw cause;
    throw new PolluxError('FILE_CORRUPT', `${file}: ${(cause as Error).message}.`, { cause });
  }
}

/** A whole small file as lines of text. @throws IO_FAILED */
export async function readLines(file: string): Promise<string[]> {
  try {
    return (await readFile(file, 'utf8')).split(/\r?\n/).filter((line) => line !== '');
  } catch (error) {
    throw ioFailed('read', file, error);
  }
}
