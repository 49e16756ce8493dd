import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { dtypes } from '../../src/graph/dtype.js';
import { read, root } from './tree.js';

const objects = path.join(root, 'build/Release/obj.target');
const levels = existsSync(objects) ? readdirSync(objects).filter((name) => /^pollux_cpu_\w+$/.test(name)) : [];

/** Symbols that the linker may merge with those of another object file: weak (W, V) and unique (u) definitions. */
function mergeable(object: string): string[] {
  const lines = execFileSync('nm', ['--demangle', '--defined-only', object], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => /^[0-9a-f]+ [WVu] /.test(line)).map((line) => `${path.basename(object)}: ${line.slice(17)}`);
}

describe('native code', () => {
  it('lists the dtypes in the order of src/graph/dtype.ts', () => {
    const body = /typedef enum PolluxDtype \{(.*?)\} PolluxDtype;/s.exec(read('native/backend.h'))![1]!;
    const names = [...body.matchAll(/\bPOLLUX_(\w+)\s*(?:=\s*0)?\s*,/g)].map((match) => match[1]!.toLowerCase());
    expect(names).toEqual([...dtypes]);
  });

  // The linker keeps one copy of a weak function. Were it the copy compiled for AVX-512, an older CPU would crash on it.
  it.skipIf(levels.length === 0)('keeps the functions of each instruction set to itself', () => {
    for (const level of levels) {
      const built = readdirSync(path.join(objects, level), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.o'));
      expect(
        built.flatMap((file) => mergeable(path.join(objects, level, file))),
        level,
      ).toEqual([]);
    }
  });
});
