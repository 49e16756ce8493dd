// The TypeScript package: bundled into dist/ with its type declarations.
import { fromRoot, run, tell, timed } from './report.js';
import { hashOf, refresh } from './stamp.js';

/** Bundles src/ into dist/ where a source, the configuration or the packages have changed. */
export function bundle() {
  const hash = hashOf(['src', 'tsconfig.json', 'tsdown.config.js', 'package.json', 'package-lock.json'], process.version);
  let took;
  const ran = refresh({ stamp: 'dist/.stamp', output: 'dist/index.js', hash }, () => {
    took = timed(() =>
      run(process.execPath, [fromRoot('node_modules/tsdown/dist/run.mjs')], { remedy: '`npm run types` shows mistakes in the sources.' }),
    );
  });
  tell('typescript', ran ? `built in ${took}` : 'up to date');
}
