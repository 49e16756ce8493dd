import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './support.js';

it('docs/errors.md lists every error code, and no other', () => {
  const [type] = readFileSync(join(root, 'src/errors.ts'), 'utf8').split('export class');
  const codes = [...type!.matchAll(/\| '([A-Z_]+)'/g)].map(([, code]) => code);
  const listed = [...readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(20);
  expect(listed).toEqual(codes);
});
