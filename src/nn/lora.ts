import { checkOptions, PolluxError } from '../errors.js';
import { readSafetensors, writeSafetensors } from '../io/index.js';
import { evaluate, leafTensor, Parameter, type Tensor } from '../tensor/index.js';
import type { Attachment } from './attachment.js';
import { requireSize } from './checks.js';
import { Conv1d } from './conv1d.js';
import { Conv2d } from './conv2d.js';
import { Dropout } from './dropout.js';
import { Embedding } from './embedding.js';
import { normal, zeros } from './initializers.js';
import { Linear } from './linear.js';
import { Module, type StateDictionary } from './module.js';
import { matchNames } from './names.js';

export interface LoraOptions {
  /** Columns of the narrow matrix. Default 8. */
  rank?: number;
  /** The change counts alpha / rank. Default: the rank, so once. */
  alpha?: number;
  /** Paths of the layers that get an adapter. Default: all Linear layers. */
  match?: RegExp | string;
  /** Of the adapters' inputs, in training. Default 0. */
  dropout?: number;
}

type Adapted = Linear | Conv1d | Conv2d | Embedding;
const isAdapted = (module: Module): module is Adapted =>
  module instanceof Linear || module instanceof Conv1d || module instanceof Conv2d || module instanceof Embedding;

/** The narrow layer that reads what the layer reads, and the one that gives what it gives; the second begins at zero. */
function narrow(layer: Adapted, rank: number): { down: Adapted; up: Linear | Conv1d | Conv2d } {
  const first = { bias: false, weightInit: zeros };
  if (layer instanceof Linear) return { down: new Linear(layer.inSize, rank, { bias: false }), up: new Linear(rank, layer.outSize, first) };
  if (layer instanceof Embedding) {
    const down = new Embedding(layer.count, rank, { weightInit: normal(1) });
    return { down, up: new Linear(rank, layer.size, first) };
  }
  if (layer.groups > 1) throw new PolluxError('UNSUPPORTED', `lora: a convolution of ${layer.groups} groups takes no adapter.`);
  if (layer instanceof Conv1d) {
    const { stride, padding, paddingMode, dilation } = layer;
    const down = new Conv1d(layer.inSize, rank, layer.kernelSize, { stride, padding, paddingMode, dilation, bias: false });
    return { down, up: new Conv1d(rank, layer.outSize, 1, first) };
  }
  const { stride, padding, paddingMode, dilation } = layer;
  const down = new Conv2d(layer.inSize, rank, layer.kernelSize, { stride, padding, paddingMode, dilation, bias: false });
  return { down, up: new Conv2d(rank, layer.outSize, 1, first) };
}

/** The layers `down` and `up` beside a frozen one: y = layer(x) + up(down(x)) alpha / rank. */
class LoraAdapter extends Module implements Attachment {
  readonly down: Adapted;
  readonly up: Linear | Conv1d | Conv2d;
  readonly drop: Dropout;
  /** Whether the weight holds the change already. */
  merged = false;

  constructor(
    layer: Adapted,
    rank: number,
    readonly scale: number,
    dropout: number,
  ) {
    super();
    const { down, up } = narrow(layer, rank);
    this.down = down;
    this.up = up;
    this.drop = new Dropout(dropout);
  }

  override structureKey(): string {
    return this.merged ? 'merged' : '';
  }

  adapt(output: Tensor, [x]: readonly [Tensor]): Tensor {
    return this.merged ? output : output.add(this.forward(x));
  }

  forward(x: Tensor): Tensor {
    const seen: Tensor = this.down instanceof Embedding ? x : this.drop.forward(x);
    return (this.up as Linear).forward((this.down as Linear).forward(seen)).mul(this.scale);
  }

  /** What is to be added to the weight. */
  change(weight: Tensor): Tensor {
    const [down, up]: Tensor[] = [this.down.weight, this.up.weight];
    const rank: number = up!.shape.at(-1)!;
    const product: Tensor =
      this.down instanceof Embedding ? down!.matmul(up!.transpose()) : up!.reshape([-1, rank]).matmul(down!.reshape([rank, -1]));
    return product.reshape(weight.shape).mul(this.scale);
  }
}

const adaptersOf = (model: Module): { path: string; layer: Adapted; adapter: LoraAdapter }[] =>
  [...model.modules()].flatMap(([path, layer]) => {
    const adapter = layer.attachments.get('lora');
    return adapter instanceof LoraAdapter ? [{ path: path ? `${path}.lora` : 'lora', layer: layer as Adapted, adapter }] : [];
  });

function requireAdapters(where: string, model: Module): ReturnType<typeof adaptersOf> {
  const found = adaptersOf(model);
  if (!found.length)
    throw new PolluxError('INVALID_ARGUMENT', `${where}: the model has no adapters. Add them first: nn.lora(model, options).`);
  return found;
}

/**
 * Low-rank adaptation (Hu et al. 2022): freezes the model and puts beside each layer that matches (Linear, Embedding, Conv1d, Conv2d)
 * two narrow layers, `lora.down` and `lora.up`, which alone are trained. The outputs are at first what they were. What else shall learn
 * is unfrozen afterwards: `model.unfreeze('head')`. Make the optimizer afterwards. Returns the model.
 */
export function lora<M extends Module>(model: M, options: LoraOptions = {}): M {
  checkOptions('lora', options, ['rank', 'alpha', 'match', 'dropout']);
  const { rank = 8, alpha = rank, match, dropout = 0 } = options;
  requireSize('lora', 'rank', rank);
  const meant = (path: string): boolean => (typeof match === 'string' ? path === match || path.startsWith(`${match}.`) : match!.test(path));
  const possible = [...model.modules()].filter(([path, module]) => isAdapted(module) && !/(^|\.)lora(\.|$)/.test(path));
  const chosen = possible.filter(([path, module]) => (match === undefined ? module instanceof Linear : meant(path)));
  if (!chosen.length)
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `lora: ${match === undefined ? 'there is no Linear layer' : `no layer matches ${match}`}. Layers that take one: ${possible.map(([path]) => path || '(the model)').join(', ')}.`,
    );
  if (chosen.some(([, layer]) => layer.attachments.has('lora')))
    throw new PolluxError('INVALID_ARGUMENT', 'lora: a layer has an adapter already. Take it away first: nn.removeLora(model).');
  const adapters = chosen.map(([, layer]) => [layer, new LoraAdapter(layer as Adapted, rank, alpha / rank, dropout)] as const);
  model.freeze();
  for (const [layer, adapter] of adapters) layer.attach('lora', adapter.train(layer.training));
  return model;
}

/** The weight of an adapted layer, if it is one that nothing else reads. */
function ownWeight(model: Module, layer: Adapted, path: string): Parameter {
  const { weight } = layer as { weight: unknown };
  if (!(weight instanceof Parameter))
    throw new PolluxError('UNSUPPORTED', `mergeLora: the weight beside ${path} is parametrised: remove its parametrisation first.`);
  for (const [other, module] of model.modules()) {
    if (module === layer || ![...module.fields()].some(([, value]) => value === weight)) continue;
    throw new PolluxError(
      'UNSUPPORTED',
      `mergeLora: ${other || 'the model'} reads the same weight as the layer of ${path}, and would change with it. Keep the adapter.`,
    );
  }
  return weight;
}

async function fold(model: Module, merge: boolean): Promise<void> {
  const open = requireAdapters(merge ? 'mergeLora' : 'unmergeLora', model).filter(({ adapter }) => adapter.merged !== merge);
  const weights = open.map(({ layer, path }) => ownWeight(model, layer, path) as Tensor);
  open.forEach(({ adapter }, i) => {
    const change = adapter.change(weights[i]!);
    weights[i]!.assign(merge ? weights[i]!.add(change) : weights[i]!.sub(change));
    adapter.merged = merge;
  });
  await evaluate(...weights);
}

/**
 * Adds the adapters' changes to the weights: predictions cost what they did without. Outputs are equal within rounding. The adapters
 * stay, unused, until `unmergeLora` or `removeLora`.
 * @throws UNSUPPORTED if another layer reads one of the weights (tied embeddings).
 */
export async function mergeLora<M extends Module>(model: M): Promise<M> {
  await fold(model, true);
  return model;
}

/** Takes the changes out of the weights again, within rounding: to train on. */
export async function unmergeLora<M extends Module>(model: M): Promise<M> {
  await fold(model, false);
  return model;
}

/** Takes the adapters away, merged or not; what was frozen stays frozen. Returns the model. */
export function removeLora<M extends Module>(model: M): M {
  for (const { layer } of requireAdapters('removeLora', model)) layer.attach('lora', undefined);
  return model;
}

/** Parameters of the adapters alone, by path: a few per cent of the model. */
export function loraStateDictionary(model: Module): StateDictionary {
  const paths = requireAdapters('loraStateDictionary', model).map(({ path }) => `${path}.`);
  return new Map([...model.stateDictionary()].filter(([name]) => paths.some((path) => name.startsWith(path))));
}

/** Writes the adapters to a safetensors file. */
export async function saveLora(model: Module, file: string): Promise<void> {
  const names = loraStateDictionary(model);
  await writeSafetensors(file, await model.snapshot((path) => names.has(path)));
}

/** Reads what `saveLora` wrote into the adapters of an unmerged model. Throws SHAPE_MISMATCH if they are others; then nothing is changed. */
export async function loadLora<M extends Module>(model: M, file: string): Promise<M> {
  const own = loraStateDictionary(model);
  const { tensors } = await readSafetensors(file);
  if (adaptersOf(model).some(({ adapter }) => adapter.merged))
    throw new PolluxError('INVALID_ARGUMENT', 'loadLora: the adapters are merged. Take them out first: await nn.unmergeLora(model).');
  matchNames(own, tensors, true);
  for (const [path, tensor] of own) tensor.assign(leafTensor(tensor.shape, tensor.dtype, tensors.get(path)!.data));
  return model;
}
