import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** The code under one heading of a page: it is checked, and run, as one program. */
export interface Program {
  /** `guide, 'Gradients'` */
  readonly title: string;
  /** Each line stands where it stands in the page, so that messages name the page's lines. */
  readonly text: string;
  /** False if one of its blocks is marked ```ts check: it needs a data set, another process or the reader's patience. */
  readonly run: boolean;
}

/**
 * The programs of a page. The ```ts blocks under one `##` heading belong together; `<!-- ts` opens a comment whose lines are
 * code that readers need not see.
 */
export function programsOf(file: string): Program[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  const page = basename(file, '.md');
  const found: Program[] = [];
  let section = { title: page, code: new Map<number, string>(), run: true };
  let inside: { closes: string } | undefined;
  const finish = (): void => {
    if (!section.code.size) return;
    const text = lines.map((_, i) => section.code.get(i) ?? '').join('\n');
    found.push({ title: section.title, text: `${text}\nexport {};\n`, run: section.run });
  };
  lines.forEach((line, i) => {
    if (inside) {
      if (line.trim() === inside.closes) inside = undefined;
      else section.code.set(i, line);
    } else if (/^```ts( check)?$/.test(line)) {
      inside = { closes: '```' };
      if (line.includes('check')) section.run = false;
    } else if (line.startsWith('<!-- ts')) {
      inside = { closes: '-->' };
    } else if (line.startsWith('## ')) {
      finish();
      section = { title: `${page}, '${line.slice(3)}'`, code: new Map(), run: true };
    }
  });
  finish();
  return found;
}

/** A piece of a source file that a page shows: a block marked `from FILE`. */
export interface Quotation {
  readonly page: string;
  readonly source: string;
  readonly text: string;
}

export function quotationsOf(file: string): Quotation[] {
  const blocks = readFileSync(file, 'utf8').matchAll(/^```\w+ from (\S+)\n([\s\S]*?)^```$/gm);
  return [...blocks].map(([, source, text]) => ({ page: basename(file), source: source!, text: text! }));
}

/**
 * The program as it is run: on the sources, and with each `console.log(...); // text` comparing what it prints with the text.
 */
export function runnable({ text }: Program, entry: string): string {
  return text
    .replaceAll("from 'pollux'", `from '${entry}'`)
    .split('\n')
    .map((line, i) =>
      line.replace(/console\.log\((.*)\);\s*\/\/ (.+)$/, (_, args, said) => `documented(${i + 1}, ${JSON.stringify(said)}, ${args});`),
    )
    .join('\n');
}
