// Finds a C++ compiler, make and python3 (node-gyp is written in Python); installs them through apt where that is allowed.
import { spawnSync } from 'node:child_process';
import { run, SetupError, tell } from './report.js';

const aptPackages = ['build-essential', 'python3'];
const wanted = 'a C++20 compiler (g++ >= 10 or clang++ >= 12), make and python3';

/** What a command prints, or undefined where it is missing or fails. */
function output(command, args) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return status === 0 ? stdout : undefined;
}

function compilerVersion(command) {
  const text = output(command, ['--version']);
  if (text === undefined) return undefined;
  const clang = /clang version (\d+)\S*/.exec(text);
  if (clang) return { major: Number(clang[1]), least: 12, name: `${command} ${clang[0].slice('clang version '.length)}` };
  const gcc = output(command, ['-dumpfullversion'])?.trim();
  return gcc && { major: Number.parseInt(gcc, 10), least: 10, name: `${command} ${gcc}` };
}

/** The first compiler that is new enough: the user's own choice (CXX) alone, if there is one. */
function findCompiler() {
  const candidates = process.env.CXX ? [process.env.CXX] : ['g++', 'clang++', 'c++'];
  for (const command of candidates) {
    const version = compilerVersion(command);
    if (!version || version.major < version.least) continue;
    const env = process.env.CXX || command === 'g++' ? {} : { CXX: command, CC: command === 'clang++' ? 'clang' : 'cc' };
    return { name: version.name, env };
  }
  return undefined;
}

function find() {
  const compiler = findCompiler();
  const make = output('make', ['--version'])?.split('\n')[0];
  const python = output('python3', ['--version'])?.trim();
  const missing = [!compiler && 'a C++ compiler', !make && 'make', !python && 'python3'].filter(Boolean);
  return { compiler, make, python, missing };
}

/** The prefix that lets apt-get run without a question: nothing for root, sudo where it asks for no password. */
function privilege() {
  if (process.getuid?.() === 0) return [];
  return output('sudo', ['-n', 'true']) === undefined ? undefined : ['sudo', '-n'];
}

function install(missing) {
  const line = `apt-get update && apt-get install -y ${aptPackages.join(' ')}`;
  if (output('apt-get', ['--version']) === undefined) {
    throw new SetupError(`Missing: ${missing.join(', ')}. Install ${wanted}, then run this again.`);
  }
  const prefix = privilege();
  if (!prefix) throw new SetupError(`Missing: ${missing.join(', ')}. Run this, then try again:\n  sudo sh -c '${line}'`);
  tell('toolchain', `${missing.join(', ')} missing; apt-get installs ${aptPackages.join(' ')}`);
  const apt = (...args) => {
    const command = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'DPkg::Lock::Timeout=300', ...args];
    run(command[0], command.slice(1), { remedy: `Install them yourself, then try again:\n  sudo sh -c '${line}'` });
  };
  apt('update');
  apt('install', '-y', '--no-install-recommends', ...aptPackages);
}

/** The tools that build the native code: { name, env }. `env` tells node-gyp which compiler to use. */
export function toolchain() {
  let found = find();
  if (found.missing.length > 0) {
    install(found.missing);
    found = find();
  }
  if (found.missing.length > 0) {
    throw new SetupError(`Missing: ${found.missing.join(', ')}. ${wanted} are needed; what is installed is too old.`);
  }
  const name = `${found.compiler.name}, ${found.make}, ${found.python}`;
  tell('toolchain', name);
  return { name, env: found.compiler.env };
}
