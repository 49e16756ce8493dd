import { checkOptions } from '../errors.js';
import type { DType } from '../graph/dtype.js';
import { type Node, reachable, type Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import { table } from '../table.js';
import { dryRun, type Parameter, type Tensor, tensorsOf } from '../tensor/index.js';
import type { Module } from './module.js';

export interface SummaryOptions {
  /** Of the input. Default 'float32'. */
  dtype?: DType;
}

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

/** What a forward pass in training mode builds. */
function graphOf(model: Module, shape: readonly number[], dtype: DType): Node[] {
  const outputs = model.inMode(true, () =>
    dryRun([model], [{ shape, dtype }], (x: Tensor): Value[] => tensorsOf(model.forward(x)).map((output) => output.value)),
  );
  return reachable(outputs).filter(({ op }) => op.name !== 'leaf');
}

/** The layers of a model as a table, in the order of their use; see Module.summary. */
export function summarize(model: Module, inputShape: readonly number[] | undefined, options: SummaryOptions): string {
  checkOptions('summary', options, ['dtype']);
  const modules = model.modules();
  const rows = new Map<string, Row>();
  const rowOf = (path: string): Row => {
    let row = rows.get(path);
    if (!row) rows.set(path, (row = { layer: modules.get(path)?.constructor.name ?? '', output: '', parameters: 0, flops: 0 }));
    return row;
  };
  for (const node of inputShape ? graphOf(model, inputShape, options.dtype ?? 'float32') : []) {
    const row = rowOf(node.scope);
    // A function among the layers has no name but that of what it computes.
    if (!modules.has(node.scope) && !row.layer.includes(node.op.name)) row.layer += `${row.layer && ', '}${node.op.name}`;
    row.output = `[${node.outputs[0]!.shape.join(', ')}]`;
    row.flops += flopsOf(node);
  }
  const parameters = model.parameters();
  for (const [path, { size }] of parameters) rowOf(ownerOf(path, modules)).parameters += size;
  return `${draw(rows, inputShape !== undefined)}\n${count(parameters.values())}\n`;
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
