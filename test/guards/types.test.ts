import { existsSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { read, root } from './tree.js';

const declarations = 'dist/index.d.ts';

/** `any` says "a shape or dtype that the compiler does not know" as an argument of a type (`Tensor<any, D>`), and computes with
 * shapes in type aliases. A module's `forward` takes what its author likes. Anywhere else it would switch checking off. */
function isAllowed(node: ts.Node): boolean {
  for (let at = node; at.parent; at = at.parent) {
    const up = at.parent;
    if (ts.isTypeReferenceNode(up) || ts.isExpressionWithTypeArguments(up) || ts.isTypeAliasDeclaration(up)) return true;
    if (ts.isTypeParameterDeclaration(up)) return true;
    if (ts.isMethodDeclaration(up) || ts.isMethodSignature(up)) return up.name.getText() === 'forward';
  }
  return false;
}

function wrongAnys(text: string): string[] {
  const source = ts.createSourceFile(declarations, text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword && !isAllowed(node)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      found.push(`${declarations}:${line + 1}: ${text.split('\n')[line]!.trim().slice(0, 120)}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

describe('public types', () => {
  it.skipIf(!existsSync(path.join(root, declarations)))('hold no any but for unknown shapes and dtypes', () => {
    expect(wrongAnys(read(declarations))).toEqual([]);
  });

  it('would be caught otherwise', () => {
    expect(wrongAnys('export declare function f(x: any): void;')).toHaveLength(1);
    expect(wrongAnys('export declare function f(x: Tensor<any>): any[];')).toHaveLength(1);
    expect(wrongAnys('export declare class M { forward(...x: any[]): any; y: Tensor<any>; }')).toEqual([]);
  });
});
