import { describe, expect, it } from 'vitest';
import { version } from '../../src/version.js';
import { read } from './tree.js';

const manifest = JSON.parse(read('package.json')) as { version: string; files: string[]; scripts: Record<string, string> };
const lock = JSON.parse(read('package-lock.json')) as {
  packages: Record<string, { resolved?: string; version?: string; optionalDependencies?: Record<string, string> }>;
};

describe('the package', () => {
  it('locks versions, not the registry they came from', () => {
    expect(Object.entries(lock.packages).filter(([, entry]) => entry.resolved)).toEqual([]);
    expect(read('package-lock.json')).not.toMatch(/https?:\/\/[^"]*registry/);
  });

  it('locks the optional packages of every platform: npm ci refuses a lock file without them', () => {
    const wanted = Object.values(lock.packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
    const locked = Object.keys(lock.packages).map((place) => place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length));
    expect(wanted.filter((name) => !locked.includes(name))).toEqual([]);
  });

  it('runs nothing when it is installed', () => {
    expect(Object.keys(manifest.scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
    expect(
      manifest.files.some((file) => /gyp|native/.test(file)),
      'npm runs node-gyp where it finds a binding.gyp',
    ).toBe(false);
  });

  it('is described where a newcomer looks', () => {
    const readme = read('README.md');
    for (const command of ['npm run demo', 'npm test', 'npm run bench']) expect(readme).toContain(command);
    expect(version).toBe(manifest.version);
    expect(read('CHANGELOG.md')).toContain(`## ${manifest.version}`);
    expect(read('CONTRIBUTING.md')).toContain('docs/');
  });
});
