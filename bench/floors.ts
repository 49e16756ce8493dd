import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from './program.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const source = at('./floors.cpp');
const program = at('../.cache/floors');

const isFresh = () => {
  const built = statSync(program, { throwIfNoEntry: false });
  return built !== undefined && built.mtimeMs > statSync(source).mtimeMs;
};

/** What bounds a workload: arithmetic, or memory traffic of so many arrays that are read and written, besides one that is read. */
export type Floor = 'fma' | { readonly written: number; readonly millions: number };

/** The floor of a workload as a program, or undefined where it cannot be compiled. */
export function floor(kind: Floor): Command | undefined {
  if (!isFresh()) {
    mkdirSync(at('../.cache'), { recursive: true });
    const flags = ['-O3', '-march=native', '-mprefer-vector-width=512', '-std=c++20', '-pthread'];
    if (spawnSync(process.env.CXX ?? 'g++', [...flags, source, '-o', program]).status !== 0) return undefined;
  }
  if (kind === 'fma') return { program: 'fma loop', command: [program, kind] };
  return { program: 'stream', command: [program, 'stream', String(kind.written), String(kind.millions)] };
}
