import { checkOptions } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import { type Node, reachable, type Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import { table } from '../table.js';
import { dryRun, type Parameter, type Tensor, type TensorBase, tensorsOf } from '../tensor/index.js';
import type { Module } from './module.js';

export interface SummaryOptions {
  /** Of the inputs. Default 'float32'. */
  dtype?: DType;
  /** How many levels of modules have rows of their own; what lies deeper counts for the module that holds it. Default all. */
  depth?: number;
}

/** A shape, the shapes of several inputs, or a function that makes the inputs. */
export type SummaryInput = readonly number[] | readonly (readonly number[])[] | (() => Tensor | readonly unknown[]);

interface Row {
  layer: string;
  output: string;
  parameters: number;
  flops: number;
}

const grouped = (count: number): string => count.toLocaleString('en-US');

/** Floating-point operations of one node, by its op's own count or the general rule of `Op.flops`. */
function flopsOf({ op, inputs, outputs, attributes }: Node): number {
  if (op.flops) return op.flops(inputs, outputs, attributes);
  if (op.cost !== 'elementwise' && op.cost !== 'reduce') return 0;
  return (op.cost === 'elementwise' ? outputs : inputs).reduce((total, { shape }) => total + sizeOf(shape), 0);
}

/** The module that holds a parameter: the longest part of the path that is a module's. */
function ownerOf(path: string, modules: ReadonlyMap<string, Module>): string {
  let at = path;
  while (at && !modules.has(at)) at = at.includes('.') ? at.slice(0, at.lastIndexOf('.')) : '';
  return at;
}

const show = (outputs: readonly TensorBase[]): string => outputs.map(({ shape }) => `[${shape.join(', ')}]`).join(' ');

/** What a forward pass in training mode builds, and what each module gave. */
function trace(model: Module, input: SummaryInput, dtype: DType): { nodes: Node[]; outputs: Map<string, string> } {
  const outputs = new Map<string, string>();
  const shapes = typeof input === 'function' ? [] : ((typeof input[0] === 'object' ? input : [input]) as readonly (readonly number[])[]);
  using _ = model.onForward(/^/, ({ path, output }) => void outputs.set(path, show(tensorsOf(output))));
  const forward = (...given: unknown[]): Value[] => tensorsOf(model.forward(...given)).map((output) => output.value);
  const results = model.inMode(true, () =>
    dryRun(
      [model],
      shapes.map((shape) => ({ shape, dtype })),
      (...given: Tensor[]) => {
        if (typeof input !== 'function') return forward(...given);
        const made = input();
        return forward(...(Array.isArray(made) ? made : [made]));
      },
    ),
  );
  return { nodes: reachable(results).filter(({ op }) => op.name !== 'leaf'), outputs };
}

/** A path cut to its first levels of modules. */
function cut(path: string, depth: number, modules: ReadonlyMap<string, Module>): string {
  const parts = path.split('.');
  let [at, levels] = ['', 0];
  for (let i = 1; i <= parts.length && levels < depth; i++) {
    const prefix = parts.slice(0, i).join('.');
    if (modules.has(prefix) || i === parts.length) [at, levels] = [prefix, levels + 1];
  }
  return at;
}

/** The layers of a model as a table, in the order of their use; see Module.summary. */
export function summarize(model: Module, input: SummaryInput | undefined, options: SummaryOptions): string {
  checkOptions('summary', options, ['dtype', 'depth']);
  const { dtype = 'float32', depth = Number.POSITIVE_INFINITY } = options;
  const modules = model.modules();
  const rows = new Map<string, Row>();
  const rowOf = (path: string): Row => {
    let row = rows.get(path);
    if (!row) rows.set(path, (row = { layer: modules.get(path)?.constructor.name ?? '', output: '', parameters: 0, flops: 0 }));
    return row;
  };
  const traced = input && trace(model, input, dtype);
  for (const node of traced?.nodes ?? []) {
    const path = cut(node.scope, depth, modules);
    const row = rowOf(path);
    // A function among the layers has no name but that of what it computes.
    if (!modules.has(path) && !row.layer.includes(node.op.name)) row.layer += `${row.layer && ', '}${node.op.name}`;
    row.output = traced!.outputs.get(path) ?? `[${node.outputs[0]!.shape.join(', ')}]`;
    row.flops += flopsOf(node);
  }
  const parameters = model.parameters();
  for (const [path, { size }] of parameters) rowOf(cut(ownerOf(path, modules), depth, modules)).parameters += size;
  return `${draw(rows, input !== undefined)}\n${count(parameters.values())}\n`;
}

function draw(rows: ReadonlyMap<string, Row>, traced: boolean): string {
  const head = ['path', 'layer', ...(traced ? ['output'] : []), 'parameters', ...(traced ? ['FLOPs'] : [])];
  const lines = [...rows].map(([path, { layer, output, parameters, flops }]) => [
    path || '(model)',
    layer,
    ...(traced ? [output || 'not used'] : []),
    grouped(parameters),
    ...(traced ? [grouped(flops)] : []),
  ]);
  const flops = [...rows.values()].reduce((total, row) => total + row.flops, 0);
  const last = traced ? `\n${grouped(flops)} FLOPs forward` : '';
  return table([head, ...lines], traced ? [false, false, false, true, true] : [false, false, true]) + last;
}

function count(parameters: Iterable<Parameter>): string {
  let [all, frozen] = [0, 0];
  for (const { size, trainable } of parameters) {
    all += size;
    if (!trainable) frozen += size;
  }
  return `${grouped(all)} parameters${frozen ? `, ${grouped(frozen)} of them frozen` : ''}`;
}
