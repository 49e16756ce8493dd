import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { files, read } from './tree.js';

const kernel = ['graph', 'ops', 'runtime', 'compiler', 'tensor'];
const library = ['io', 'nn', 'optim', 'losses', 'data', 'text', 'audio', 'metrics', 'plot'];
const product = ['train', 'models', 'interop', 'compress', 'parallel', 'adapt', 'generate'];

/** Which rooms a room may import. Rooms of one line may import each other, as long as no circle comes of it. */
const mayImport: Record<string, string[]> = {
  graph: [],
  ops: ['graph'],
  runtime: ['graph'],
  compiler: ['graph', 'ops', 'runtime'],
  tensor: ['graph', 'ops', 'runtime', 'compiler'],
  ...Object.fromEntries(library.map((room) => [room, [...kernel, ...library]])),
  ...Object.fromEntries(product.map((room) => [room, [...kernel, ...library, ...product]])),
  cli: [...kernel, ...library, ...product],
};

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
}

/** Static imports, exports and `import()`s of a source file that name a file of the project. */
function importsOf(file: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean) => {
    if (!specifier || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return;
    const to = path.posix.join(path.posix.dirname(file), specifier.text).replace(/\.js$/, '.ts');
    found.push({ from: file, to, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0], false);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest));
  return found;
}

/** One circle of the graph as a list of names, or undefined. */
function findCircle(edges: Map<string, Set<string>>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (name: string): string[] | undefined => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    if (done.has(name)) return undefined;
    path.push(name);
    for (const next of edges.get(name) ?? []) {
      const circle = visit(next);
      if (circle) return circle;
    }
    path.pop();
    done.add(name);
    return undefined;
  };
  for (const name of edges.keys()) {
    const circle = visit(name);
    if (circle) return circle;
  }
  return undefined;
}

function graphOf(imports: Import[], name: (file: string) => string): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const { from, to } of imports) {
    if (name(from) === name(to)) continue;
    edges.set(name(from), (edges.get(name(from)) ?? new Set()).add(name(to)));
  }
  return edges;
}

const room = (file: string) => file.split('/')[1]!;
const imports = files('src')
  .filter((file) => file.endsWith('.ts'))
  .flatMap(importsOf);
const isRoom = (name: string) => !name.endsWith('.ts');
/** src/index.ts may import all; src/errors.ts and its like may be imported by all. */
const between = imports.filter(
  ({ from, to }) => room(from) !== room(to) && isRoom(room(from)) && (isRoom(room(to)) || to === 'src/index.ts'),
);

describe('imports', () => {
  it('run one way between the rooms', () => {
    const wrong = between.filter(({ from, to }) => !mayImport[room(from)]?.includes(room(to)));
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  it('lead from no loose file into a room', () => {
    const loose = imports.filter(({ from, to }) => from !== 'src/index.ts' && !isRoom(room(from)) && isRoom(room(to)));
    expect(loose.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  it('form no circle of rooms', () => {
    expect(findCircle(graphOf(between, room))).toBeUndefined();
  });

  it('form no circle of files, types aside', () => {
    expect(
      findCircle(
        graphOf(
          imports.filter(({ typeOnly }) => !typeOnly),
          (file) => file,
        ),
      ),
    ).toBeUndefined();
  });

  it('are found, and circles among them too', () => {
    expect(imports.length).toBeGreaterThan(0);
    const circle = new Map([
      ['a', new Set(['b'])],
      ['b', new Set(['c'])],
      ['c', new Set(['b'])],
    ]);
    expect(findCircle(circle)).toEqual(['b', 'c', 'b']);
  });
});
