import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const full = process.env.POLLUX_TEST === 'full';

/** A suite is a folder of test/, with the time that one of its tests may take. `npm test -- --project e2e` runs one suite. */
const suites = { guards: 30_000, types: 120_000, runtime: 60_000, conformance: 120_000, e2e: 300_000 };

const project = (name: string, include: string, milliseconds: number, exclude: string[] = []) => ({
  extends: true as const,
  test: { name, include: [include], exclude, testTimeout: full ? 10 * milliseconds : milliseconds, hookTimeout: milliseconds },
});

export default defineConfig({
  resolve: { alias: { pollux: fileURLToPath(new URL('./src/index.ts', import.meta.url)) } },
  test: {
    // Processes, not threads: a crash in native code then names its file, and each file starts with a fresh addon.
    pool: 'forks',
    reporters: ['default', './test/reporter.ts'],
    projects: [
      ...Object.entries(suites).map(([name, milliseconds]) => project(name, `test/${name}/**/*.test.ts`, milliseconds)),
      project(
        'unit',
        'test/**/*.test.ts',
        30_000,
        Object.keys(suites).map((name) => `test/${name}/**`),
      ), // all the rest
    ],
  },
});
