// The native code: the addon and the CPU twin, built by node-gyp from binding.gyp.
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fromRoot, run, tell, timed } from './report.js';
import { hashOf, refresh } from './stamp.js';

/* What node-gyp wants to find beside Node's headers. Node's own files of these names carry the flags that V8 needs
 * (no exceptions, no RTTI, a fixed C++ standard); an addon that uses Node-API alone needs none of them. */
const commonGypi = {
  target_defaults: {
    default_configuration: 'Release',
    configurations: { Release: { cflags: ['-O3'] }, Debug: { cflags: ['-O0', '-g'], defines: ['DEBUG'] } },
    cflags: ['-pthread', '-Wall', '-Wextra', '-Wno-unused-parameter'],
    ldflags: ['-pthread'],
  },
};

/** A folder shaped as node-gyp's --nodedir, made from the package node-api-headers: nothing is downloaded, and every
 * machine builds with the same headers and flags. It lies outside build/, which node-gyp deletes. */
export function headers() {
  const source = fromRoot('node_modules/node-api-headers/include');
  const target = fromRoot('.cache/headers/include/node');
  mkdirSync(target, { recursive: true });
  for (const file of readdirSync(source)) copyFileSync(`${source}/${file}`, `${target}/${file}`);
  writeFileSync(`${target}/common.gypi`, JSON.stringify(commonGypi));
  writeFileSync(`${target}/config.gypi`, JSON.stringify({ target_defaults: {}, variables: {} }));
  return fromRoot('.cache/headers');
}

/** One compiler for each CPU, or as many as JOBS says. Each takes up to a gigabyte for the kernels. */
const jobs = () => Number(process.env.JOBS) || Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2 ** 30)));

function build(env) {
  const args = ['node_modules/node-gyp/bin/node-gyp.js', 'configure', 'build', `--nodedir=${headers()}`, `--jobs=${jobs()}`];
  run(process.execPath, args, {
    env,
    remedy: 'If a compiler was killed, memory ran out: set JOBS=1 in the environment. `rm -rf build` starts afresh.',
  });
}

/** Builds native/ into build/Release where a source, the compiler or the packages have changed. */
export function native({ name, env }) {
  const hash = hashOf(['native', 'binding.gyp', 'package-lock.json', 'scripts/lib/native.js'], name, process.arch);
  let took;
  const ran = refresh({ stamp: 'build/.stamp', output: 'build/Release/pollux.node', hash }, () => {
    tell('native code', 'building: a minute or two on two cores');
    took = timed(() => build(env));
  });
  tell('native code', ran ? `built in ${took}` : 'up to date');
}
