import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What the compiler says about programs in the folder of this test: `line: message`, with the file where there are several. */
function check(files: Record<string, string | undefined>): string[] {
  const { config } = ts.readConfigFile(path.join(root, 'tsconfig.tests.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const texts = new Map(Object.entries(files).map(([name, text]) => [path.join(root, 'test/types', name), text]));
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.readFile = (name) => texts.get(name) ?? readFile(name);
  host.fileExists = (name) => texts.has(name) || fileExists(name);
  const program = ts.createProgram([...texts.keys()], { ...options, noEmit: true }, host);
  return [...texts.keys()].flatMap((name) => {
    const file = program.getSourceFile(name)!;
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map((diagnostic) => {
      const { line } = file.getLineAndCharacterOfPosition(diagnostic.start!);
      return `${texts.size > 1 ? `${path.basename(name)}:` : ''}${line + 1}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`;
    });
  });
}

/** Programs that must not compile, and the sentence that the compiler must show. */
const wrong: [program: string, sentence: string][] = [
  [
    'new nn.Sequential(new nn.Linear(784, 128), new nn.Linear(64, 10));',
    'Linear(64, 10) takes [...,64] but the layer before gives [...,128]',
  ],
  [
    'new nn.Sequential(new nn.Conv2d(1, 8, 3), nn.relu, new nn.Conv2d(4, 8, 3));',
    'Conv2d(4, 8) takes [?,?,?,4] but the layer before gives [?,?,?,8]',
  ],
  ['new nn.Linear(4, 2).forward(zeros([3, 5]));', 'takes [...,4] but got [3,5]'],
  ['zeros([2, 3]).matmul(zeros([4, 5]));', 'matmul: [2,3] x [4,5] do not fit'],
  ['zeros([2, 3]).add(zeros([2]));', 'add: shapes [2,3] and [2] do not broadcast'],
  ["zeros([2]).add(zeros([2], 'int32'));", 'dtype float32 does not go with int32: cast one of them'],
  ['nn.maxPool2d(2)(zeros([2, 3]));', 'takes [?,?,?,?] but got [2,3]'],
];
/** Mistakes that the compiler finds in its own words. */
const mistaken = [
  "zeros([2], 'float33');",
  'new nn.Linear(4, 2, { bais: true });',
  'optim.adam({ learningrate: 0.1 });',
  'new Trainer(new nn.Linear(2, 2), { loss: losses.mse });',
  'compile({ state: [3] }, (x: Tensor) => x);',
  'compile((x: Tensor) => x)(3, 4);',
  "zeros([2, 3]).sum('rows');",
  'const shape: readonly [2, 4] = zeros([2, 3]).shape;',
  'zeros([2]).logicalAnd(zeros([2]));',
  'datasets.mnist({ normalise: true });',
];

const header = "import { compile, datasets, losses, nn, optim, type Tensor, Trainer, zeros } from 'pollux';\n";

describe('types', () => {
  it('hold in all files of this folder: what must compile does, what must not does not', () => {
    const files = readdirSync(path.join(root, 'test/types')).filter((name) => name.endsWith('.test-d.ts'));
    expect(files.length).toBeGreaterThan(3);
    expect(check(Object.fromEntries(files.map((name) => [name, undefined])))).toEqual([]);
  });

  it('tell mistakes in sentences', () => {
    const found = check({ 'wrong.ts': header + [...wrong.map(([program]) => program), ...mistaken].join('\n') });
    wrong.forEach(([program, sentence], i) => {
      const said = found.filter((text) => text.startsWith(`${i + 2}: `));
      expect(said.join('\n'), program).toContain(sentence);
    });
    mistaken.forEach((program, i) => {
      const line = wrong.length + i + 2;
      expect(
        found.filter((text) => text.startsWith(`${line}: `)),
        program,
      ).not.toEqual([]);
    });
  });

  it('let 60 layers in a row through', () => {
    const layers = Array.from({ length: 60 }, (_, i) => `new nn.Linear(${i + 1}, ${i + 2}), nn.relu`);
    const right = `export const output: readonly [5, 61] = new nn.Sequential(${layers.join(', ')}).forward(zeros([5, 1])).shape;`;
    expect(check({ 'deep.ts': header + right })).toEqual([]);
  });
});
