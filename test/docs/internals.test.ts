import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runCommand } from '../../src/cli/program.js';
import { records } from '../../src/ops/index.js';

const page = (name: string): string => readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), 'utf8');

test('the table of ops in docs/internals.md names every record', () => {
  const words = new Set(page('internals').match(/\w+/g));
  expect(Object.keys(records).filter((name) => !words.has(name))).toEqual([]);
});

test('docs/command.md names every command and its options', async () => {
  const help = async (...args: string[]): Promise<string> => {
    let text = '';
    await runCommand([...args, '--help'], { out: (part) => void (text += part), error: () => undefined });
    return text;
  };
  const commands = (await help()).match(/(?<=^ {2})[a-z]+(?= )/gm)!.filter((name) => name !== 'help');
  expect(commands.length).toBeGreaterThan(3);
  const options = (await Promise.all(commands.map((name) => help(name)))).flatMap((text) => text.match(/--[a-z-]+/g)!);
  const text = page('command');
  expect([...commands, ...options].filter((name) => !new RegExp(`\`${name}\\b`).test(text))).toEqual([]);
});
