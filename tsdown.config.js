// `import 'pollux'` reads one file and the parts it shares with the command: reading 180 small files takes three times as long.
import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: { index: 'src/index.ts', 'cli/main': 'src/cli/main.ts' },
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  fixedExtension: false,
  dts: { entry: 'src/index.ts' },
  sourcemap: true,
  clean: true,
  deps: { neverBundle: ['commander'] },
  report: false,
});
