// Module hooks: see scripts/typescript.js.
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
// One entry for each source, so that it does not grow; stripping the types of the whole library takes seconds, reading does not.
const cache = path.join(modules, '.cache', 'typescript');
const { version } = JSON.parse(readFileSync(path.join(modules, 'typescript/package.json'), 'utf8'));
const hash = (text) => createHash('sha256').update(text).digest('hex');

async function strip(file, text) {
  const { default: ts } = await import('typescript');
  const compilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    inlineSourceMap: true,
  };
  return ts.transpileModule(text, { compilerOptions, fileName: file }).outputText;
}

/** What was stripped before is taken while the source and TypeScript are the same. */
async function stripped(file) {
  const text = readFileSync(file, 'utf8');
  if (file.startsWith(modules)) return strip(file, text);
  const entry = path.join(cache, `${hash(file)}.js`);
  const stamp = `\n// ${hash(version + text)}\n`;
  const kept = existsSync(entry) ? readFileSync(entry, 'utf8') : '';
  if (kept.endsWith(stamp)) return kept;
  const made = (await strip(file, text)) + stamp;
  mkdirSync(cache, { recursive: true });
  const draft = `${entry}.${randomUUID()}`; // other processes and threads may be writing the same entry
  writeFileSync(draft, made);
  renameSync(draft, entry);
  return made;
}

export async function resolve(specifier, context, next) {
  if (/^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL?.endsWith('.ts')) {
    const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(source)) return next(source.href, context);
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
  return { format: 'module', source: await stripped(fileURLToPath(url)), shortCircuit: true };
}
