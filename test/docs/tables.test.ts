import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type ApiEntry, membersOf, publicApi, resolver } from '../../scripts/lib/api.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const names = resolver();
const api = publicApi(path.join(root, 'src/index.ts'), names);
const byPath = new Map(api.flatMap((one) => one.paths.map((name): [string, ApiEntry] => [name, one])));

/** What the variables of the tables stand for. */
const variables: Record<string, string> = {
  x: 'Tensor',
  a: 'Tensor',
  b: 'Tensor',
  model: 'nn.Module',
  optimizer: 'optim.Optimizer',
  trainer: 'Trainer',
  dataset: 'data.Dataset',
  loader: 'DataLoader',
  history: 'History',
};

const members = new Map<string, Set<string>>();
function memberNames(type: string): Set<string> {
  if (!members.has(type)) {
    const { nodes, file } = byPath.get(type)!;
    members.set(type, new Set(membersOf(nodes[0]!, file, names).map(({ name }) => name)));
  }
  return members.get(type)!;
}

/** Names in a piece of code that nothing declares: `x.reshap`, `nn.Conv2D`. Methods of a result count as a tensor's. */
function unknownNames(code: string): string[] {
  const bare = code.replace(/'[^']*'/g, '').replace(/\{[^}]*\}/g, '');
  const roots = [...bare.matchAll(/(?<![\w.)])[A-Za-z_][\w.]*/g)].map(([name]) => name);
  const chained = [...bare.matchAll(/\)\.(\w+)/g)].map(([, name]) => name!);
  const isKnown = (name: string): boolean => {
    const [first, ...rest] = name.split('.');
    if (first! in variables) return rest.length === 0 || memberNames(variables[first!]!).has(rest[0]!);
    if (byPath.has(name) || name === 'Infinity' || name === 'new') return true;
    const owner = name.slice(0, name.lastIndexOf('.'));
    return byPath.has(owner) && memberNames(owner).has(name.slice(owner.length + 1));
  };
  return [...roots.filter((name) => !isKnown(name)), ...chained.filter((name) => !memberNames('Tensor').has(name))];
}

interface Row {
  there: string[];
  here: string[];
  line: number;
}

/** Rows of the tables with a column `Pollux`. */
function rowsOf(page: string): Row[] {
  const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
  const rows = readFileSync(path.join(root, 'docs', page), 'utf8').split('\n');
  return rows.flatMap((text, i) => {
    const [, there, here, notes] = /^\| (.+?) \| (.+?) \|(.*)\|$/.exec(text) ?? [];
    if (!there || !here || notes === undefined || here === 'Pollux') return [];
    return [{ there: quoted(there), here: here.trim() === '–' ? [] : quoted(here), line: i + 1 }];
  });
}

/** Names that mean something else there: `x.unfold` is a view of windows, `nn.unfold` a layer. */
const otherThings = [
  'x.unfold',
  'resize',
  'x.copy_',
  'Identity',
  'conv1d',
  'conv2d',
  'batch_norm',
  'layer_norm',
  'instance_norm',
  'x.grad',
  'tf.buffer',
];

/** A name as it would be spelled here: `nn.functional.gumbel_softmax` is gumbelsoftmax. */
const spelled = (name: string): string => name.replace(/\(.*/, '').split('.').at(-1)!.replaceAll('_', '').toLowerCase();

describe.each(['from-pytorch.md', 'from-tfjs-and-keras.md'])('the tables of %s', (page) => {
  const rows = rowsOf(page);

  test('name only what exists', () => {
    expect(rows.length).toBeGreaterThan(100);
    const wrong = rows.flatMap(({ here, line }) => here.flatMap(unknownNames).map((name) => `line ${line}: ${name}`));
    expect(wrong).toEqual([]);
  });

  test('call absent only what is absent', () => {
    const all = new Set([...byPath.keys(), ...memberNames('Tensor'), ...memberNames('nn.Module')].map(spelled));
    const absent = rows.filter(({ here }) => here.length === 0);
    expect(absent.length).toBeGreaterThan(10);
    const there = absent.flatMap((row) =>
      row.there.filter((name) => all.has(spelled(name)) && !otherThings.includes(name)).map((name) => `line ${row.line}: ${name}`),
    );
    expect(there).toEqual([]);
  });

  test.skipIf(page !== 'from-pytorch.md')('leave out nothing that PyTorch 1.13 documents', () => {
    const known: string[] = JSON.parse(readFileSync(path.join(root, 'test/docs/pytorch.json'), 'utf8'));
    const named = new Set(rows.flatMap(({ there }) => there.map(spelled)));
    expect(known.length).toBeGreaterThan(600);
    const missing = known.filter((name) => !named.has(spelled(name)) && !named.has(`${spelled(name)}loss`));
    expect(missing).toEqual([]);
  });

  test('would be caught otherwise', () => {
    expect(unknownNames('x.reshap(2)')).toEqual(['x.reshap']);
    expect(unknownNames('nn.Conv9d')).toEqual(['nn.Conv9d']);
    expect(unknownNames("x.pad(2, 'reflect').sums")).toEqual(['sums']);
  });
});

describe('the other pages', () => {
  const spaces = [...new Set([...byPath.keys()].flatMap((name) => (name.includes('.') ? [name.split('.')[0]!] : [])))];
  const theirs = ['nn.MultiheadAttention']; // PyTorch's

  test('name only what exists', () => {
    const pages = readdirSync(path.join(root, 'docs')).filter((page) => page.endsWith('.md') && !page.startsWith('from-'));
    const named = pages.flatMap((page) => {
      const text = readFileSync(path.join(root, 'docs', page), 'utf8').replace(/^```[\s\S]*?^```/gm, '');
      const codes = [...text.matchAll(/`([^`\n]+)`/g)].flatMap(([, code]) => code!.match(/(?<![\w./'])[A-Za-z_]\w*(?:\.\w+)+/g) ?? []);
      return codes.filter((name) => spaces.includes(name.split('.')[0]!) && !theirs.includes(name)).map((name) => ({ page, name }));
    });
    expect(named.length).toBeGreaterThan(50);
    const isSpace = (name: string): boolean => [...byPath.keys()].some((known) => known.startsWith(`${name}.`));
    const wrong = named.filter(({ name }) => unknownNames(name).length > 0 && !isSpace(name));
    expect(wrong.map(({ page, name }) => `${page}: ${name}`)).toEqual([]);
  });
});
