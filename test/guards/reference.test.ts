import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { docOf, membersOf, publicApi, resolver } from '../../scripts/lib/api.js';
import { files, read, root } from './tree.js';

const names = resolver();
const api = publicApi(path.join(root, 'src/index.ts'), names);
const pages = files('docs/reference').map((file) => ({ file, headings: new Set(read(file).match(/(?<=^### ).+$/gm)) }));
const listed = new Set(pages.flatMap(({ headings }) => [...headings]));

/** Interfaces of options and results may leave it to their members to say what they are. */
const speaksForItself = (node: ts.Node): boolean => ts.isInterfaceDeclaration(node) && /(Options|Config|Inputs)$/.test(node.name.text);

describe('the reference', () => {
  it('has an entry for every export (npm run docs writes it)', () => {
    expect(api.length).toBeGreaterThan(500);
    expect(api.map(({ paths }) => paths[0]!).filter((name) => !listed.has(name))).toEqual([]);
  });

  it('has no entry for what is gone', () => {
    const known = new Set(api.map(({ paths }) => paths[0]));
    expect([...listed].filter((name) => !known.has(name))).toEqual([]);
  });

  it('names every method of a tensor', () => {
    const tensor = api.find(({ paths }) => paths[0] === 'Tensor')!;
    const page = read('docs/reference/tensor.md');
    const methods = membersOf(tensor.nodes[0], tensor.file, names).map(({ name }) => name);
    expect(methods.length).toBeGreaterThan(150);
    expect(methods.filter((name) => !page.includes(`\`${name}`) && !page.includes(`static ${name}`))).toEqual([]);
  });
});

describe('documentation', () => {
  it('stands at every export', () => {
    const bare = api.filter(({ nodes }) => docOf(nodes).length === 0 && !speaksForItself(nodes[0]));
    expect(bare.map(({ paths, file }) => `${paths[0]} (${path.relative(root, file)})`)).toEqual([]);
  });

  it('stands at every method of a tensor', () => {
    const tensor = api.find(({ paths }) => paths[0] === 'Tensor')!;
    const bare = membersOf(tensor.nodes[0], tensor.file, names).filter(
      ({ name, nodes }) => docOf(nodes).length === 0 && !name.startsWith('['),
    );
    expect(bare.map(({ name }) => name)).toEqual([]);
  });
});
