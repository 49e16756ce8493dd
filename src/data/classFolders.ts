import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PolluxError } from '../errors.js';
import { ioFailed } from '../io/atomic.js';

/**
 * The files of a folder that has one folder for each class: paths and class numbers in the order of the sorted names.
 * @param what the files hold, for the message that there are none, and one as an example
 */
export async function filesByClass(where: string, folder: string, pattern: RegExp, what: string, example: string) {
  const list = (path: string) =>
    readdir(path, { withFileTypes: true }).catch((error: unknown) => {
      throw ioFailed('list', path, error);
    });
  const classes = (await list(folder))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  const files: string[] = [];
  const labels: number[] = [];
  for (const [label, name] of classes.entries()) {
    const inside = (await list(join(folder, name))).map((entry) => entry.name).filter((file) => pattern.test(file));
    for (const file of inside.sort()) {
      files.push(join(folder, name, file));
      labels.push(label);
    }
  }
  if (!files.length)
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `${where}: ${folder} holds no ${what} in folders of their classes, such as ${join(folder, example)}.`,
    );
  return { files, labels: Int32Array.from(labels), classes };
}
