import { mayOverwrite } from './commit.js';
import { isWhole } from './step.js';
import type { Buffer, Step } from './step.js';

const ALIGNMENT = 64;

/** Memory that buffers share one after the other, from the first write to the last read (numbers of steps, both included). */
export interface Block {
  readonly buffers: Buffer[];
  first: number;
  last: number;
  bytes: number;
  offset: number;
}

const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** The blocks that ordered steps need. A step that may write over an input that dies with it continues that input's block. */
export function* lifetimes(steps: readonly Step[], due: () => boolean): Generator<void, Block[]> {
  const numbers = new Map(steps.map((step, i) => [step, i]));
  const blocks: Block[] = [];
  const blockOf = new Map<Buffer, Block>();
  for (const [at, step] of steps.entries()) {
    step.outputs.forEach(({ buffer }, output) => {
      if (buffer.location.kind !== 'arena' || buffer.producer !== step) return;
      let last = at;
      for (const reader of buffer.readers) last = Math.max(last, numbers.get(reader)!);
      let block = reusable(step, output, at, blockOf);
      if (block) {
        block.buffers.push(buffer);
        block.last = last;
      } else {
        block = { buffers: [buffer], first: at, last, bytes: align(buffer.bytes), offset: 0 };
        blocks.push(block);
      }
      blockOf.set(buffer, block);
    });
    if (due()) yield;
  }
  return blocks;
}

/** The block of an input that the output may take over. */
function reusable(step: Step, output: number, at: number, blockOf: ReadonlyMap<Buffer, Block>): Block | undefined {
  const { buffer } = step.outputs[output]!;
  for (const input of step.inputs) {
    const block = blockOf.get(input.buffer);
    // A block that another output of this step has taken goes on past it, or holds that output.
    if (!block || block.last !== at || block.buffers.at(-1) !== input.buffer || input.buffer.bytes !== buffer.bytes) continue;
    if (isWhole(input) && mayOverwrite(step, output, input.buffer)) return block;
  }
  return undefined;
}

/** Bytes that are live at once, at most: no layout can do with less. */
export function livePeak(blocks: readonly Block[]): number {
  const changes = new Map<number, number>();
  const add = (at: number, bytes: number): void => {
    changes.set(at, (changes.get(at) ?? 0) + bytes);
  };
  for (const block of blocks) {
    add(block.first, block.bytes);
    add(block.last + 1, -block.bytes);
  }
  let live = 0;
  let peak = 0;
  for (const at of [...changes.keys()].sort((a, b) => a - b)) {
    live += changes.get(at)!;
    peak = Math.max(peak, live);
  }
  return peak;
}

/** Places blocks one by one in the smallest gap that holds each among those that live at the same time. Returns the size. */
function* place(blocks: readonly Block[], due: () => boolean): Generator<void, { size: number; offsets: Map<Block, number> }> {
  const placed: Block[] = [];
  const offsets = new Map<Block, number>();
  let size = 0;
  for (const block of blocks) {
    let best = -1;
    let smallest = Infinity;
    let end = 0;
    for (const other of placed) {
      if (other.first > block.last || other.last < block.first) continue;
      const gap = other.offset - end;
      if (gap >= block.bytes && gap < smallest) {
        smallest = gap;
        best = end;
      }
      end = Math.max(end, other.offset + other.bytes);
    }
    block.offset = best < 0 ? end : best;
    offsets.set(block, block.offset);
    size = Math.max(size, block.offset + block.bytes);
    let at = placed.length;
    placed.push(block);
    while (at > 0 && placed[at - 1]!.offset > block.offset) placed[at] = placed[--at]!;
    placed[at] = block;
    if (due()) yield;
  }
  return { size, offsets };
}

/**
 * Offline best fit (Pisarchyk and Lee, 2020, "Efficient memory management for deep neural net inference"): blocks by size and by
 * time, the smaller arena wins.
 *
 * @returns bytes of the arena; every arena buffer has its offset
 */
export function* planArena(blocks: readonly Block[], due: () => boolean): Generator<void, number> {
  const bySize = [...blocks].sort((a, b) => b.bytes - a.bytes || a.first - b.first);
  const byTime = [...blocks].sort((a, b) => a.first - b.first || b.bytes - a.bytes);
  const first = yield* place(bySize, due);
  const second = first.size === livePeak(blocks) ? first : yield* place(byTime, due);
  const best = second.size < first.size ? second : first;
  for (const block of blocks) {
    for (const buffer of block.buffers) buffer.location = { kind: 'arena', offset: best.offsets.get(block)! };
  }
  return best.size;
}
