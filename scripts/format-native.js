// Formats the C++ and CUDA sources with clang-format; `--check` only tells which differ. Skipped, with a line, where it is missing.
import { spawnSync } from 'node:child_process';
import { fromRoot } from './lib/report.js';

const tracked = spawnSync('git', ['ls-files', '*.cc', '*.cpp', '*.h', '*.hpp', '*.cu', '*.cuh'], { cwd: fromRoot(), encoding: 'utf8' });
const files = tracked.stdout.split('\n').filter(Boolean);
const mode = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];

if (spawnSync('clang-format', ['--version']).status !== 0) {
  console.log('clang-format is not installed: the C++ sources are left as they are');
} else if (files.length > 0) {
  process.exitCode = spawnSync('clang-format', [...mode, ...files], { cwd: fromRoot(), stdio: 'inherit' }).status ?? 1;
}
