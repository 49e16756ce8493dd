import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { records } from '../../src/ops/index.js';

test('the table of ops in docs/internals.md names every record', () => {
  const words = new Set(readFileSync(new URL('../../docs/internals.md', import.meta.url), 'utf8').match(/\w+/g));
  expect(Object.keys(records).filter((name) => !words.has(name))).toEqual([]);
});
