// Makes prebuilds/<platform>-<arch>/: the addon with the twins beside it, ready for the npm package.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { headers } from './lib/native.js';
import { fromRoot, run, SetupError, startLog, tell, timed } from './lib/report.js';
import { toolchain } from './lib/toolchain.js';

/* prebuildify rebuilds from nothing, then copies pollux.node and every .so file of build/Release. The CUDA twin, where one
 * was built, is put back in between; a --postinstall command runs at that moment. */
const restoreCuda = existsSync(fromRoot('build-cuda/libpollux_cuda.so'))
  ? ['--postinstall', 'cp build-cuda/libpollux_cuda.so build/Release/']
  : [];

try {
  startLog();
  const { env } = toolchain();
  const args = ['--napi', '--strip', '--name', 'pollux', ...restoreCuda];
  const took = timed(() =>
    run(process.execPath, [fromRoot('node_modules/prebuildify/bin.js'), ...args], {
      env: { ...env, npm_config_nodedir: headers() },
      remedy: 'Run `npm run setup` first.',
    }),
  );
  const folder = `prebuilds/${process.platform}-${process.arch}`;
  rmSync(fromRoot(folder, 'libpollux_async.so'), { force: true }); // a twin for tests
  tell('prebuild', `${folder} in ${took}: ${readdirSync(fromRoot(folder)).join(', ')}`);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
