import { createRequire } from 'node:module';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { PolluxError } from '../errors.js';
import type { DemoOptions } from './demo.js';

/** Exit codes: 0 done, 1 failed, 2 called wrongly. */
export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** What commands write to; tests pass their own. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
}

const terminal: Output = {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
};

/** Version of this package; it names itself, so the bundle's place does not matter. */
export const packageVersion = (): string => (createRequire(import.meta.url)('pollux/package.json') as { version: string }).version;

/**
 * Builds the command. Each command loads its code when it runs, so that `pollux --help` answers at once, and returns
 * its exit code through `finish`.
 */
function createProgram({ out, error }: Output, finish: (code: number) => void): Command {
  const program = new Command('pollux')
    .description('Trains neural networks inside Node.js.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print help for a command')
    .showHelpAfterError('`pollux --help` lists the commands, `pollux COMMAND --help` the options of one.')
    .showSuggestionAfterError()
    .configureOutput({ writeOut: out, writeErr: error })
    .exitOverride();

  program
    .command('doctor')
    .description('look at this machine: processor, twins, tools, what is missing and how to get it')
    .option('--json', 'print the findings as JSON')
    .action(async ({ json }: { json?: true }) => {
      const { examine, formatFindings } = await import('./doctor.js');
      const findings = examine();
      out(json ? `${JSON.stringify(findings, null, 2)}\n` : formatFindings(findings, packageVersion()));
      finish(findings.some(({ state }) => state === 'missing') ? exitCodes.failed : exitCodes.done);
    });

  program
    .command('summary')
    .description('list the tensors of a safetensors file')
    .argument('<file>', 'a .safetensors file')
    .action(async (file: string) => {
      const { summarize } = await import('./summary.js');
      out(await summarize(file));
    });

  program
    .command('demo')
    .description('train a convolutional network on the real MNIST, report, draw, save and reload')
    .option('--model <name>', "'demo', or 'article': the network of the articles", choice('demo', 'article'), 'demo')
    .option('--epochs <n>', 'passes over the data', whole, 5)
    .option('--batch-size <n>', 'images a step', whole, 128)
    .option('--seed <n>', 'seed of weights, order and augmentation', natural, 1)
    .option('--device <name>', "'cpu', 'cuda', or 'auto'", 'auto')
    .option('--output <folder>', 'where the plot, the sheet of digits and the model go', 'out')
    .option('--json <file>', 'write the figures to a file')
    .action(async (options: DemoOptions) => {
      const { runDemo } = await import('./demo.js');
      await runDemo(options, { out, error });
    });

  program
    .command('bench')
    .description('measure a training step, an optimizer update and the cost of a call on this machine')
    .action(async () => {
      const { runBench } = await import('./bench.js');
      await runBench({ out, error });
    });

  return program;
}

const natural = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('Expected an integer of at least 0.');
  return value;
};

const whole = (text: string): number => {
  if (natural(text) < 1) throw new InvalidArgumentError('Expected an integer of at least 1.');
  return Number(text);
};

const choice =
  (...names: string[]) =>
  (text: string): string => {
    if (!names.includes(text)) throw new InvalidArgumentError(`Expected one of ${names.join(', ')}.`);
    return text;
  };

/** Runs `pollux ARGUMENTS` and resolves to its exit code; errors are printed, not thrown. */
export async function runCommand(args: readonly string[], output: Output = terminal): Promise<number> {
  let code: number = exitCodes.done;
  const program = createProgram(output, (finished) => {
    code = finished;
  });
  try {
    if (args.length === 0) {
      output.error(program.helpInformation());
      return exitCodes.usage;
    }
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    if (error instanceof PolluxError) {
      output.error(`pollux: ${error.message}\n`);
      return exitCodes.failed;
    }
    throw error;
  }
}
