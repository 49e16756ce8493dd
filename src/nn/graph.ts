import { nearest } from '../errors.js';
import { context, withContext } from '../graph/node.js';
import type { Tensor } from '../tensor/index.js';
import { Module } from './module.js';
import { requireLayer } from './run.js';

/** What may stand in a graph: a layer or a function of as many tensors as it is given. */
// biome-ignore lint/suspicious/noExplicitAny: a layer of a graph may take any number of tensors
export type GraphLayer = { forward(...inputs: any[]): Tensor } | ((...inputs: any[]) => Tensor);

/** Named layers, each with the names of what it reads: inputs and other layers, in any order. */
export interface Wiring<I extends string, N extends string, O> {
  /** Names of the inputs, in the order in which forward takes them. */
  readonly inputs: readonly I[];
  readonly layers: { readonly [K in N]: readonly [GraphLayer, ...NoInfer<I | N>[]] };
  /** Name of what forward gives; of several, and it gives an object. */
  readonly output: O;
}

/** What a graph of these outputs gives. */
export type GraphOutput<O> = O extends readonly (infer K extends string)[] ? { readonly [P in K]: Tensor } : Tensor;

/**
 * Layers wired by name: any layer may read any input and the output of any other, as long as no circle comes of it.
 * ```
 * new nn.Graph({
 *   inputs: ['image', 'text'],
 *   layers: { a: [new nn.Linear(8, 4), 'image'], b: [new nn.Linear(6, 4), 'text'], both: [nn.concat, 'a', 'b'] },
 *   output: 'both',
 * })
 * ```
 * Children are named by their names: `a.weight`. A layer that is given twice shares its weights.
 */
export class Graph<const I extends string, N extends string, const O extends I | N | readonly (I | N)[]> extends Module {
  readonly layers: Map<string, GraphLayer>;
  readonly inputs: readonly string[];
  readonly output: O;
  /** What each layer reads, in an order in which all that is read comes before. */
  readonly sources: ReadonlyMap<string, readonly string[]>;

  constructor(wiring: Wiring<I, N, O>) {
    super();
    const entries = Object.entries(wiring.layers) as [string, readonly [GraphLayer, ...string[]]][];
    this.inputs = wiring.inputs;
    this.output = wiring.output;
    this.layers = new Map(entries.map(([name, [layer]]) => [name, layer]));
    const reads = new Map(entries.map(([name, [, ...sources]]) => [name, sources]));
    for (const [name, layer] of this.layers) {
      requireLayer(`Graph: '${name}'`, layer);
      if (!name || name.includes('.')) throw new RangeError(`Graph: '${name}' is no name: paths are made of names and dots.`);
      if (this.inputs.includes(name)) throw new RangeError(`Graph: '${name}' is the name of an input and of a layer.`);
    }
    this.sources = ordered(reads, this.inputs);
    for (const name of this.outputs()) requireKnown(name, 'the output', [...this.inputs, ...reads.keys()]);
  }

  private outputs(): readonly string[] {
    return typeof this.output === 'string' ? [this.output] : (this.output as readonly string[]);
  }

  override fields(): Iterable<[string, unknown]> {
    return this.layers;
  }

  override setField(name: string, value: unknown): void {
    this.layers.set(name, value as GraphLayer);
  }

  forward(...inputs: Tensor[]): GraphOutput<O> {
    if (inputs.length !== this.inputs.length)
      throw new TypeError(`Graph: takes ${this.inputs.length} inputs (${this.inputs.join(', ')}), got ${inputs.length}.`);
    const values = new Map(this.inputs.map((name, i) => [name, inputs[i]!]));
    for (const [name, sources] of this.sources) {
      const layer = this.layers.get(name)!;
      const given = sources.map((source) => values.get(source)!);
      const scope = context.scope ? `${context.scope}.${name}` : name;
      values.set(name, typeof layer === 'function' ? withContext({ scope }, () => layer(...given)) : layer.forward(...given));
    }
    if (typeof this.output === 'string') return values.get(this.output) as GraphOutput<O>;
    return Object.fromEntries(this.outputs().map((name) => [name, values.get(name)!])) as GraphOutput<O>;
  }
}

function requireKnown(name: string, where: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  const near = nearest(name, known);
  throw new RangeError(`Graph: ${where} reads '${name}', which is no input and no layer.${near ? ` Is it '${near}'?` : ''}`);
}

/** The layers with all that they read before them; throws on a circle, and on names that nothing has. */
function ordered(reads: ReadonlyMap<string, readonly string[]>, inputs: readonly string[]): Map<string, readonly string[]> {
  const done = new Map<string, readonly string[]>();
  const visit = (name: string, path: readonly string[]): void => {
    if (done.has(name) || inputs.includes(name)) return;
    if (path.includes(name)) throw new RangeError(`Graph: layers read each other in a circle: ${[...path, name].join(' <- ')}.`);
    const sources = reads.get(name)!;
    if (!sources.length) throw new RangeError(`Graph: '${name}' reads nothing; name its inputs behind the layer.`);
    for (const source of sources) {
      requireKnown(source, `'${name}'`, [...inputs, ...reads.keys()]);
      visit(source, [...path, name]);
    }
    done.set(name, sources);
  };
  for (const name of reads.keys()) visit(name, []);
  return done;
}
