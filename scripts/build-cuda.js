// Builds the CUDA twin with cmake-js into build-cuda/ and puts it beside the CPU twin. Skipped, with a line, where there is no nvcc.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fromRoot, run, SetupError, startLog, tell, timed } from './lib/report.js';

/** nvcc on the PATH, or where the toolkit is installed by default. */
function findNvcc() {
  const folder = process.env.CUDA_HOME ?? process.env.CUDA_PATH ?? '/usr/local/cuda';
  return ['nvcc', path.join(folder, 'bin/nvcc')].find((command) => spawnSync(command, ['--version']).status === 0);
}

function build(nvcc) {
  const args = ['compile', '--directory', 'cuda', '--out', 'build-cuda', `--CDCMAKE_CUDA_COMPILER=${nvcc}`];
  run(process.execPath, [fromRoot('node_modules/cmake-js/bin/cmake-js'), ...args], {
    remedy: 'The CUDA twin needs cmake >= 3.24 and a CUDA toolkit >= 12 with a host compiler that its nvcc accepts.',
  });
  mkdirSync(fromRoot('build/Release'), { recursive: true });
  copyFileSync(fromRoot('build-cuda/libpollux_cuda.so'), fromRoot('build/Release/libpollux_cuda.so'));
}

const nvcc = findNvcc();
if (!nvcc) {
  tell('cuda', 'skipped: no nvcc on the PATH or under CUDA_HOME. Install the CUDA toolkit to build the CUDA twin.');
} else if (!existsSync(fromRoot('node_modules/cmake-js'))) {
  tell('cuda', 'run `npm run setup` first');
  process.exitCode = 1;
} else {
  try {
    startLog();
    tell('cuda', `built in ${timed(() => build(nvcc))}: build/Release/libpollux_cuda.so`);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
