// The npm packages: installed exactly as package-lock.json says, install scripts never run.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fromRoot, run, tell, timed } from './report.js';

const packagesOf = (file) => JSON.parse(readFileSync(fromRoot(file), 'utf8')).packages;

/** npm writes node_modules/.package-lock.json last, so it tells what is installed, a broken install included. */
function areInstalled() {
  let installed;
  try {
    installed = packagesOf('node_modules/.package-lock.json');
  } catch {
    return false;
  }
  return Object.entries(packagesOf('package-lock.json')).every(([place, { version, integrity, optional }]) => {
    const found = installed[place];
    return place === '' || (found ? found.version === version && found.integrity === integrity : optional === true);
  });
}

/** `npm ci --ignore-scripts`, unless node_modules already holds what the lock file says. */
export function packages() {
  if (areInstalled()) return tell('packages', 'up to date');
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const args = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'];
  const remedy = `Is the npm registry reachable? \`npm ${args.slice(0, 2).join(' ')}\` must work in ${path.relative(process.cwd(), fromRoot()) || 'this folder'}.`;
  tell('packages', `installed in ${timed(() => run(npm[0], [...npm.slice(1), ...args], { remedy }))}`);
}
