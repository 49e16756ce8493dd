// Writes docs/reference: the public API, from the sources and their documentation. `--check` writes nothing and fails if a page is
// not what it would write.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { publicApi, resolver } from './lib/api.js';
import { pagesOf } from './lib/pages.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = path.join(root, 'docs/reference');
const entry = path.join(root, 'src/index.ts');

const { config } = ts.readConfigFile(path.join(root, 'tsconfig.json'), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const program = ts.createProgram([entry], options);
const names = resolver((file) => program.getSourceFile(file));
const pages = pagesOf(publicApi(entry, names), { names, checker: program.getTypeChecker() });

if (process.argv.includes('--check')) {
  const stale = [...pages].filter(([name, text]) => {
    const file = path.join(folder, name);
    return !existsSync(file) || readFileSync(file, 'utf8') !== text;
  });
  if (stale.length) {
    console.error(`docs/reference is not up to date (${stale.map(([name]) => name).join(', ')}): npm run docs`);
    process.exitCode = 1;
  }
} else {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (!pages.has(name)) rmSync(path.join(folder, name));
  for (const [name, text] of pages) writeFileSync(path.join(folder, name), text);
  console.log(`docs/reference: ${pages.size} pages, ${[...pages.values()].reduce((sum, text) => sum + text.length, 0)} characters`);
}
