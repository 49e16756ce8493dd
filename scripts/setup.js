// Makes a fresh clone ready: toolchain, npm packages, native code, TypeScript. Idempotent; what is up to date is left alone.
// Plain JavaScript without dependencies: it runs before anything is installed.
import { bundle } from './lib/bundle.js';
import { alone } from './lib/lock.js';
import { native } from './lib/native.js';
import { packages } from './lib/packages.js';
import { SetupError, startLog, tell } from './lib/report.js';
import { toolchain } from './lib/toolchain.js';

const [major, minor] = process.versions.node.split('.').map(Number);

function setUp() {
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new SetupError(`Node ${process.version} is too old: Pollux needs 20.19 or later.`);
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    tell('platform', `${process.platform} ${process.arch} is untested; Pollux is made and tested on Linux x64`);
  }
  startLog();
  const tools = toolchain();
  packages();
  native(tools);
  bundle();
}

try {
  console.log('Setting up Pollux');
  await alone(setUp);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
