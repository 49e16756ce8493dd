import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const library = fileURLToPath(new URL('../../build-cuda/libpollux_cuda.so', import.meta.url));
const source = fileURLToPath(new URL('./probe.cpp', import.meta.url));
const canRun = existsSync(library) && spawnSync('g++', ['--version']).status === 0;

describe.skipIf(!canRun)('the CUDA twin', () => {
  it('loads without a driver, and says what is missing', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'pollux-'));
    try {
      const probe = path.join(folder, 'probe');
      execFileSync('g++', ['-std=c++20', source, '-o', probe, '-ldl']);
      const [abi, devices, reason, opened, error] = execFileSync(probe, [library], { encoding: 'utf8' }).split('\n');
      expect([abi, devices, opened]).toEqual(['1', '0', '3']); // ABI version 1, no device, POLLUX_NO_DEVICE
      expect(reason).toMatch(/driver|GPU/);
      expect(error).toBe(reason);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
