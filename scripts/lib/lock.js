// One set-up at a time in a checkout: `npm run demo` and `npm test` may be started side by side.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fromRoot, tell } from './report.js';

const file = fromRoot('.cache/setup.lock');

function take() {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** True unless the process that holds the lock is known to be gone. A lock just made may still be empty. */
function isHeld() {
  try {
    const owner = Number(readFileSync(file, 'utf8'));
    if (owner) process.kill(owner, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Runs `work` while no other set-up runs in this checkout. The lock of a killed process is taken over. */
export async function alone(work) {
  mkdirSync(path.dirname(file), { recursive: true });
  for (let told = false; !take(); ) {
    if (!isHeld()) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told) tell('waiting', 'another set-up runs in this checkout');
    told = true;
    await setTimeout(200);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}
