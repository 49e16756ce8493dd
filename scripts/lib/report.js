// What the set-up says on the terminal: one short line for each thing done. Everything that tools print goes to a log.
import { spawnSync } from 'node:child_process';
import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const fromRoot = (...parts) => path.join(root, ...parts);

const log = fromRoot('.cache/setup.log');

/** A failure that the user can act on: printed without a stack. */
export class SetupError extends Error {}

export function startLog() {
  mkdirSync(path.dirname(log), { recursive: true });
  writeFileSync(log, `node ${process.version}, ${process.platform} ${process.arch}\n`);
}

/** Prints one line: what, and how it stands. */
export function tell(what, state) {
  console.log(`  ${what.padEnd(11)} ${state}`);
}

/** Runs a tool with its output in the log. Throws with the end of its output and the remedy when it fails. */
export function run(command, args, { env = {}, remedy }) {
  appendFileSync(log, `\n$ ${command} ${args.join(' ')}\n`);
  const before = readFileSync(log).length;
  const output = openSync(log, 'a');
  const result = spawnSync(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', output, output] });
  closeSync(output);
  if (result.status === 0) return;
  const printed = readFileSync(log).subarray(before).toString();
  const why = result.error ? result.error.message : result.signal ? `killed by ${result.signal}` : `exit status ${result.status}`;
  throw new SetupError(
    `${[path.basename(command), ...args.slice(0, 3)].join(' ')} failed (${why}). The end of its output:\n\n` +
      `${printed.trimEnd().split('\n').slice(-30).join('\n')}\n\n${remedy}\nThe whole log: ${path.relative(process.cwd(), log)}`,
  );
}

/** Runs `work` and returns how long it took, as a text. */
export function timed(work) {
  const start = performance.now();
  work();
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
