import { describe, expect, it } from 'vitest';
import { files, linesMatching, read } from './tree.js';

const code = files('src', 'native', 'cuda', 'test', 'bench', 'examples', 'scripts').filter((file) =>
  /\.(ts|js|cc|cpp|h|hpp|cu|cuh|py)$/.test(file),
);
const text = files('.').filter(
  (file) => /\.(ts|js|json|md|cc|cpp|h|hpp|cu|cuh|py|gyp|txt|yml)$/.test(file) && file !== 'package-lock.json',
);

describe('files', () => {
  it('hold one idea each: at most 450 lines', () => {
    const long = code.map((file) => ({ file, lines: read(file).split('\n').length - 1 })).filter(({ lines }) => lines > 450);
    expect(long).toEqual([]);
  });

  it('leave nothing for later', () => {
    const rest = code.filter((file) => !file.startsWith('test/guards/'));
    expect(linesMatching(/\b(TODO|FIXME|XXX)\b|not implemented|\b(it|test|describe)\.(only|skip)\(/, rest)).toEqual([]);
  });

  it('name no path of one machine', () => {
    expect(linesMatching(/(?<![\w.-])\/(work|farm|tmp|root|home)\/[A-Za-z.]/, text)).toEqual([]);
  });
});
