import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { dtypes } from '../../src/graph/dtype.js';
import { generateReader } from '../../src/compiler/wire/generate.js';

const headerPath = new URL('../../native/runtime/plan_wire.h', import.meta.url);

/* Changing the schema is two commands: `POLLUX_GENERATE=1 npx vitest run test/runtime/wire.test.ts`, then a rebuild. */
test('the generated C++ reader is fresh', () => {
  if (process.env['POLLUX_GENERATE']) writeFileSync(headerPath, generateReader());
  expect(readFileSync(headerPath, 'utf8')).toBe(generateReader());
});

test('backend.h lists the dtypes in the order of their wire codes', () => {
  const header = readFileSync(new URL('../../native/backend.h', import.meta.url), 'utf8');
  const listed = /typedef enum PolluxDtype \{([^}]*)\}/.exec(header)![1]!.match(/POLLUX_[A-Z0-9]+\b/g)!;
  expect(listed.filter((name) => name !== 'POLLUX_DTYPE_COUNT').map((name) => name.slice('POLLUX_'.length).toLowerCase())).toEqual([
    ...dtypes,
  ]);
});
