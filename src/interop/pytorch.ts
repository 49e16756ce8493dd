import { checkOptions } from '../errors.js';
import * as nn from '../nn/index.js';
import type { Module } from '../nn/index.js';
import type { LayoutChange } from './layouts.js';
import { type LoadedWeights, type LoadWeightsOptions, takeWeights } from './load.js';
import { NameMap, type WeightRule } from './nameMap.js';
import { WeightSource } from './weightSource.js';

export interface PyTorchOptions extends LoadWeightsOptions {
  /** Their names of modules by ours, where they differ: `{ 'body.0': 'conv1' }`. What is not named has the same path in both. */
  names?: Readonly<Record<string, string>>;
  /** Dense layers behind a flatten, by our path, with the [channels, height, width] that are flattened. */
  flatten?: Readonly<Record<string, readonly [channels: number, ...sizes: number[]]>>;
}

/**
 * Gives a model the weights of a PyTorch model of the same build, saved by `safetensors.torch.save_file(model.state_dict(), file)`.
 * Layouts follow from our layers: convolutions become channels-last, recurrent layers and attention find PyTorch's names
 * (`weight_ih_l0`, `in_proj_weight`), running statistics theirs.
 * @throws SHAPE_MISMATCH that lists missing, unexpected and mis-shaped names; then nothing is changed.
 */
export async function loadPyTorch(model: Module, path: string, options: PyTorchOptions = {}): Promise<LoadedWeights> {
  checkOptions('loadPyTorch', options, ['fresh', 'skip', 'names', 'flatten']);
  const { names = {}, flatten = {}, ...rest } = options;
  await using source = await WeightSource.open(path);
  return await takeWeights(model, source, new NameMap({ rules: pyTorchRules(model, names, flatten) }), rest);
}

/** One rule for each tensor that PyTorch's modules of these kinds hold. */
export function pyTorchRules(
  model: Module,
  names: NonNullable<PyTorchOptions['names']> = {},
  flatten: NonNullable<PyTorchOptions['flatten']> = {},
): WeightRule[] {
  const rules: WeightRule[] = [];
  const done = new Set<string>();
  const known = { ...transformerNames(model), ...names };
  for (const [path, module] of model.modules()) {
    // Parts of a layer that PyTorch names as one.
    if ([...done].some((owner) => path.startsWith(`${owner}.`))) continue;
    const theirs = renamed(path, known);
    const own = rulesOf(module, flatten[path]);
    if (own.whole) done.add(path);
    for (const { from, to, change } of own.rules)
      rules.push({ from: joined(theirs, from), to: [to].flat().map((name) => joined(path, name)), ...(change && { change }) });
  }
  return rules;
}

const joined = (path: string, name: string): string => (path ? `${path}.${name}` : name);

/** The path with the longest of our names that begins it changed to theirs, again and again from the front. */
function renamed(path: string, names: Readonly<Record<string, string>>): string {
  const parts = path.split('.');
  for (let count = parts.length; count > 0; count--) {
    const theirs = names[parts.slice(0, count).join('.')];
    if (theirs !== undefined) return [theirs, ...parts.slice(count)].join('.');
  }
  return path;
}

/** What PyTorch calls the parts of a transformer's layers. */
function transformerNames(model: Module): Record<string, string> {
  const names: Record<string, string> = {};
  for (const [path, module] of model.modules()) {
    const encoder = module instanceof nn.TransformerEncoderLayer;
    if (!encoder && !(module instanceof nn.TransformerDecoderLayer)) continue;
    const parts = {
      selfAttention: 'self_attn',
      crossAttention: 'multihead_attn',
      'feedForward.up': 'linear1',
      'feedForward.down': 'linear2',
      attentionNorm: 'norm1',
      crossNorm: 'norm2',
      feedForwardNorm: encoder ? 'norm2' : 'norm3',
    };
    for (const [ours, theirs] of Object.entries(parts)) names[joined(path, ours)] = joined(path, theirs);
  }
  return names;
}

interface ModuleRules {
  readonly rules: readonly WeightRule[];
  /** Its submodules are covered too. */
  readonly whole?: boolean;
}

function rulesOf(module: Module, flatten: readonly [number, ...number[]] | undefined): ModuleRules {
  if (module instanceof nn.RNN || module instanceof nn.LSTM || module instanceof nn.GRU)
    return { rules: recurrentRules(module), whole: true };
  if (module instanceof nn.MultiHeadAttention) return { rules: attentionRules, whole: true };
  if (module instanceof nn.BatchNorm || module instanceof nn.InstanceNorm) return { rules: [...plain(module), ...runningRules] };
  return { rules: plain(module, flatten ? { flatten } : isConvolution(module) ? 'channelsLast' : undefined) };
}

const isConvolution = (module: Module): boolean =>
  [nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d].some((kind) => module instanceof kind);

/** The parameters and buffers that stand in the module itself, under their own names. */
function plain(module: Module, change?: LayoutChange): WeightRule[] {
  return [...module.stateDictionary().keys()]
    .filter((name) => !name.includes('.') && !/^(running|batchesTracked)/.test(name))
    .map((name) => ({ from: name, to: name, ...(change && name === 'weight' && { change }) }));
}

const runningRules: readonly WeightRule[] = [
  { from: 'running_mean', to: 'runningMean' },
  { from: 'running_var', to: 'runningVariance' },
  { from: 'num_batches_tracked', to: [] },
];

const projections = ['query', 'key', 'value'];
const attentionRules: readonly WeightRule[] = [
  { from: 'in_proj_weight', to: projections.map((part) => `${part}.weight`) },
  { from: 'in_proj_bias', to: projections.map((part) => `${part}.bias`) },
  ...projections.map((part) => ({ from: `${part[0]}_proj_weight`, to: `${part}.weight` })),
  { from: 'out_proj.weight', to: 'output.weight' },
  { from: 'out_proj.bias', to: 'output.bias' },
];

/** `weight_ih_l0_reverse` and its kin. */
function recurrentRules(module: Module): WeightRule[] {
  const parts = { weight_ih: 'inputWeight', weight_hh: 'hiddenWeight', bias_ih: 'inputBias', bias_hh: 'hiddenBias' };
  return [...module.stateDictionary().keys()].map((name) => {
    const [, direction, layer, part] = /^(layers|reverseLayers)\.(\d+)\.(\w+)$/.exec(name)!;
    const theirs = Object.keys(parts).find((key) => parts[key as keyof typeof parts] === part)!;
    return { from: `${theirs}_l${layer}${direction === 'reverseLayers' ? '_reverse' : ''}`, to: name };
  });
}
