import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { PolluxError } from '../errors.js';

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

  return program;
}

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
