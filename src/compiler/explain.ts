import type { Block } from './arena.js';
import { describeSources } from './lower.js';
import type { Step } from './step.js';
import type { PlanDescription } from './wire/description.js';

/** A number that stood in the traced code and is now part of the plan. */
export interface FrozenNumber {
  readonly value: number;
  readonly dtype: string;
  /** Name of the module that used it, '' outside modules. */
  readonly scope: string;
  /** How often it is used there. */
  readonly uses: number;
}

/** What a plan is made of, for `explain()`. */
export interface PlanAccount {
  readonly description: PlanDescription;
  readonly steps: readonly Step[];
  readonly blocks: readonly Block[];
  readonly livePeak: number;
  readonly frozen: readonly FrozenNumber[];
}

const scaled = (value: number, units: readonly string[], base: number): string => {
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toPrecision(3)}${units[unit] ? ` ${units[unit]}` : ''}`;
};
export const showBytes = (bytes: number): string => scaled(bytes, ['B', 'KiB', 'MiB', 'GiB', 'TiB'], 1024);
export const showFlops = (flops: number): string => scaled(flops, ['', 'k', 'M', 'G', 'T'], 1000);

function table(rows: readonly (readonly string[])[], right: ReadonlySet<number>): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (right.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
}

/** In how many loops each step lies. */
function depthsOf({ steps, loops = [] }: PlanDescription): number[] {
  const ends: number[] = [];
  return steps.map(({ loop }, i) => {
    while (ends.at(-1) === i) ends.pop();
    const depth = ends.length;
    if (loop !== undefined) ends.push(i + 1 + loops[loop]!.steps);
    return depth;
  });
}

/**
 * The steps of a plan as a table, those of a loop's body indented (their bytes, FLOPs and times are of all iterations), the numbers frozen into it, and its memory.
 *
 * @param profile nanoseconds of each step, as `plan.profile()` measures them
 */
export function explainPlan({ description, steps, blocks, livePeak, frozen }: PlanAccount, profile?: Float64Array): string {
  const head = ['#', 'kernel', 'made of', 'in', 'outputs', 'bytes', 'FLOPs', '', ...(profile ? ['us', '%'] : [])];
  const time = profile?.reduce((a, b) => a + b, 0) ?? 0;
  const depths = depthsOf(description);
  const rows = steps.map((step, i) => {
    const { bytes, flops, commit } = description.steps[i]!;
    const outputs = description.steps[i]!.outputs.map((tensor) => description.tensors[tensor]!);
    const scope = step.sources.find((node) => node.scope)?.scope ?? '';
    const nanoseconds = profile?.[i] ?? 0;
    return [
      String(i),
      `${'  '.repeat(depths[i]!)}${step.kernel}`,
      step.loop ? `${step.loop.length} iterations of what follows` : describeSources(step),
      scope,
      outputs.map(({ dtype, shape }) => `${dtype}[${shape.join(', ')}]`).join(' '),
      showBytes(bytes),
      showFlops(flops),
      commit ? 'commit' : '',
      ...(profile ? [(nanoseconds / 1000).toFixed(1), ((100 * nanoseconds) / (time || 1)).toFixed(1)] : []),
    ];
  });
  const ops = steps.reduce((total, step) => total + step.sources.length, 0);
  const bytes = description.steps.reduce((total, step) => total + step.bytes, 0);
  const flops = description.steps.reduce((total, step) => total + step.flops, 0);
  const shared = blocks.reduce((total, block) => total + block.buffers.length, 0);
  const lines = table([head, ...rows], new Set([0, 5, 6, 8, 9]));
  lines.push(
    '',
    `${steps.length} steps made of ${ops} ops; ${showBytes(bytes)} moved, ${showFlops(flops)} FLOPs` +
      (profile ? `, ${(time / 1e6).toFixed(3)} ms` : ''),
    `arena ${showBytes(description.arenaBytes)} for ${shared} buffers (at most ${showBytes(livePeak)} live at once)`,
  );
  if (frozen.length) {
    lines.push(
      `frozen numbers: ${frozen
        .map(({ value, dtype, scope, uses }) => `${value} ${dtype}${scope ? ` in ${scope}` : ''}${uses > 1 ? ` (${uses} uses)` : ''}`)
        .join('; ')}`,
    );
  }
  return lines.join('\n');
}
