// A build is fresh when the stamp beside its output holds the hash of everything that went into it.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fromRoot } from './report.js';

function filesUnder(place) {
  if (!existsSync(fromRoot(place))) return [];
  if (statSync(fromRoot(place)).isFile()) return [place];
  return readdirSync(fromRoot(place), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(fromRoot(), path.join(entry.parentPath, entry.name)))
    .sort();
}

/** Hash of the names and contents of files and folders, and of further texts such as a compiler's version. */
export function hashOf(places, ...texts) {
  const hash = createHash('sha256').update(JSON.stringify(texts));
  for (const file of places.flatMap(filesUnder)) hash.update(`\0${file}\0`).update(readFileSync(fromRoot(file)));
  return hash.digest('hex');
}

/** Runs `build` unless `output` exists and the stamp says that it was made from `hash`. Returns whether it ran. */
export function refresh({ stamp, output, hash }, build) {
  const file = fromRoot(stamp);
  if (existsSync(fromRoot(output)) && existsSync(file) && readFileSync(file, 'utf8') === hash) return false;
  rmSync(file, { force: true }); // a build cut short leaves no stamp
  build();
  writeFileSync(file, hash);
  return true;
}
