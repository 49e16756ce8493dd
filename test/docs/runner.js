// Runs programs one after another in one process: `node --import ./scripts/typescript.js test/docs/runner.js FILE...`.
// Prints one line of JSON for each: what went wrong, or nothing.
import { pathToFileURL } from 'node:url';
import { formatWithOptions } from 'node:util';

const plain = (text) => text.replace(/\s+/g, ' ').replaceAll('[ ', '[').replaceAll(' ]', ']').trim();

let wrong = [];
globalThis.documented = (line, said, ...values) => {
  const printed = plain(formatWithOptions({ breakLength: Infinity, depth: 8 }, ...values));
  if (printed !== plain(said)) wrong.push(`line ${line} prints ${printed}, but the page says ${said}`);
};
// What programs print themselves is theirs; the findings alone go to the true output.
const write = process.stdout.write.bind(process.stdout);
console.log = () => undefined;
process.stdout.write = () => true;

for (const file of process.argv.slice(2)) {
  wrong = [];
  try {
    await import(pathToFileURL(file).href);
  } catch (error) {
    wrong.push(
      String(error?.stack ?? error)
        .split('\n')
        .slice(0, 4)
        .join('\n'),
    );
  }
  write(`${JSON.stringify({ file, wrong })}\n`);
}
