import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { type Program, programsOf, quotationsOf, runnable } from './programs.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { withFileTypes: true }).flatMap((page) => (page.isFile() ? [`docs/${page.name}`] : [])),
];
const call = promisify(execFile);

/** Examples that take seconds; those that train on MNIST are checked only, with all of examples/, by `npm run types`. */
const examples = ['own-op'].map(
  (name): Program => ({ title: `examples/${name}.ts`, text: readFileSync(join(root, 'examples', `${name}.ts`), 'utf8'), run: true }),
);
const programs = [...pages.flatMap((page) => programsOf(join(root, page))), ...examples];
const fileOf = (program: Program): string => `${programs.indexOf(program)}.ts`;

// Beside the project's own files, so that 'node' types and tsconfig are found; out of sight of git and of its package scope.
const cache = join(root, 'node_modules', '.cache');
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, 'docs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');

async function typeErrors(): Promise<string> {
  for (const program of programs) writeFileSync(join(folder, fileOf(program)), program.text);
  const config = {
    extends: join(root, 'tsconfig.tests.json'),
    compilerOptions: { rootDir: root, skipLibCheck: true },
    include: [],
    files: programs.map(fileOf),
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  try {
    await call(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'], { cwd: folder });
    return '';
  } catch (error) {
    const errors = (error as { stdout: string }).stdout.split(/\n(?=\S)/);
    return errors.filter((text) => /^\d+\.ts/.test(text)).join('\n'); // those of the sources are the types guard's
  }
}

async function runAll(list: readonly Program[]): Promise<Map<string, string[]>> {
  const entry = pathToFileURL(join(root, 'src/index.ts')).href;
  const files = list.map((program) => join(folder, `run-${fileOf(program)}`));
  list.forEach((program, i) => writeFileSync(files[i]!, runnable(program, entry)));
  const loader = join(root, 'scripts/typescript.js');
  const runner = join(root, 'test/docs/runner.js');
  const { stdout } = await call(process.execPath, ['--import', loader, runner, ...files], { cwd: folder, timeout: 110_000 });
  return new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { file: string; wrong: string[] })
      .map(({ file, wrong }) => [basename(file).slice('run-'.length), wrong]),
  );
}

describe('the pages', () => {
  test('name only files that exist', () => {
    const dead = pages.flatMap((page) => {
      const text = readFileSync(join(root, page), 'utf8');
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1]!);
      return links.filter((link) => !existsSync(join(root, page, '..', link))).map((link) => `${page}: ${link}`);
    });
    expect(dead).toEqual([]);
  });

  test('are all in the list of pages', () => {
    const list = readFileSync(join(root, 'docs/README.md'), 'utf8');
    const own = pages.filter((page) => page !== 'README.md' && page !== 'docs/README.md');
    expect(own.filter((page) => !list.includes(`](${basename(page)})`))).toEqual([]);
  });

  test('quote the sources as they are', () => {
    const quotations = pages.flatMap((page) => quotationsOf(join(root, page)));
    expect(quotations.length).toBeGreaterThan(3);
    for (const { source, text } of quotations) expect(readFileSync(join(root, source), 'utf8')).toContain(text);
  });

  test.concurrent('hold code that compiles', async () => {
    const report = await typeErrors();
    const named = report.replace(/^(\d+)\.ts\((\d+)/gm, (_, i, line) => `${programs[Number(i)]!.title} (line ${line}`);
    expect(named).toBe('');
  }, 120_000);

  test.concurrent('hold code that runs and prints what they say', async () => {
    const list = programs.filter((program) => program.run);
    expect(list.length).toBeGreaterThan(10);
    const results = await runAll(list);
    const wrong = list.flatMap((program) => (results.get(fileOf(program)) ?? ['did not run']).map((what) => `${program.title}: ${what}`));
    expect(wrong).toEqual([]);
  }, 120_000);
});
