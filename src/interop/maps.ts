// How the names of published models become ours: one map a family, one line a tensor.
import { both, type WeightMap, type WeightRule } from './nameMap.js';

const unused = (...names: readonly string[]): WeightRule[] => names.map((from) => ({ from, to: [] }));
/** Norms of the first BERT files are called gamma and beta. */
const norm = (from: string, to: string): WeightRule[] => [
  ...both(from, to),
  { from: `${from}.gamma`, to: `${to}.weight` },
  { from: `${from}.beta`, to: `${to}.bias` },
];

/** GPT-2 of Hugging Face: its dense layers are [in, out], its queries, keys and values one matrix; the output is the embedding. */
export const gpt2Map: WeightMap = {
  prefixes: ['transformer.'],
  rules: [
    { from: 'wte.weight', to: 'tokens.weight' },
    { from: 'wpe.weight', to: 'positions.weight' },
    ...both('h.*.ln_1', 'decoder.layers.*.attentionNorm'),
    ...['weight', 'bias'].map(
      (kind): WeightRule => ({
        from: `h.*.attn.c_attn.${kind}`,
        to: ['query', 'key', 'value'].map((part) => `decoder.layers.*.selfAttention.${part}.${kind}`),
        ...(kind === 'weight' && { change: 'transpose' }),
      }),
    ),
    ...both('h.*.attn.c_proj', 'decoder.layers.*.selfAttention.output', 'transpose'),
    ...both('h.*.ln_2', 'decoder.layers.*.feedForwardNorm'),
    ...both('h.*.mlp.c_fc', 'decoder.layers.*.feedForward.up', 'transpose'),
    ...both('h.*.mlp.c_proj', 'decoder.layers.*.feedForward.down', 'transpose'),
    ...both('ln_f', 'decoder.norm'),
    ...unused('h.*.attn.bias', 'h.*.attn.masked_bias', 'lm_head.weight'),
  ],
};

/** Llama, Mistral and their kin of Hugging Face; `tied`: the output is the embedding. */
export const llamaMap = (tied: boolean): WeightMap => ({
  prefixes: ['model.'],
  rules: [
    { from: 'embed_tokens.weight', to: 'tokens.weight' },
    ...['query', 'key', 'value', 'output'].flatMap((part) =>
      both(`layers.*.self_attn.${part[0]}_proj`, `decoder.layers.*.selfAttention.${part}`),
    ),
    ...['gate', 'up', 'down'].flatMap((part) => both(`layers.*.mlp.${part}_proj`, `decoder.layers.*.feedForward.${part}`)),
    { from: 'layers.*.input_layernorm.weight', to: 'decoder.layers.*.attentionNorm.weight' },
    { from: 'layers.*.post_attention_layernorm.weight', to: 'decoder.layers.*.feedForwardNorm.weight' },
    { from: 'norm.weight', to: 'decoder.norm.weight' },
    { from: 'lm_head.weight', to: tied ? [] : 'head.weight' },
    ...unused('layers.*.self_attn.rotary_emb.inv_freq'),
  ],
});

/** Rules of BERT itself, which its models with a head hold under `bert`. */
const bertRules = (ours: string): WeightRule[] => [
  { from: 'embeddings.word_embeddings.weight', to: `${ours}tokens.weight` },
  { from: 'embeddings.position_embeddings.weight', to: `${ours}positions.weight` },
  { from: 'embeddings.token_type_embeddings.weight', to: `${ours}types.weight` },
  ...norm('embeddings.LayerNorm', `${ours}norm`),
  ...['query', 'key', 'value'].flatMap((part) =>
    both(`encoder.layer.*.attention.self.${part}`, `${ours}encoder.layers.*.selfAttention.${part}`),
  ),
  ...both('encoder.layer.*.attention.output.dense', `${ours}encoder.layers.*.selfAttention.output`),
  ...norm('encoder.layer.*.attention.output.LayerNorm', `${ours}encoder.layers.*.attentionNorm`),
  ...both('encoder.layer.*.intermediate.dense', `${ours}encoder.layers.*.feedForward.up`),
  ...both('encoder.layer.*.output.dense', `${ours}encoder.layers.*.feedForward.down`),
  ...norm('encoder.layer.*.output.LayerNorm', `${ours}encoder.layers.*.feedForwardNorm`),
  ...unused('embeddings.position_ids'),
];

/** Heads that a file may have and a model may not. */
const bertHeads = [
  'pooler.dense.*',
  'cls.predictions.*',
  'cls.predictions.*.*',
  'cls.predictions.*.*.*',
  'cls.seq_relationship.*',
  'classifier.*',
];

/** BERT of Hugging Face without a head. */
export const bertMap: WeightMap = { prefixes: ['bert.'], rules: [...bertRules(''), ...unused(...bertHeads)] };

/** BERT with a classifier of texts (and, without the pooler, of tokens). */
export const bertClassifierMap = (pooled: boolean): WeightMap => ({
  prefixes: ['bert.'],
  rules: [
    ...bertRules('bert.'),
    ...(pooled ? both('pooler.dense', 'pooler.dense') : []),
    ...both('classifier', 'classifier'),
    ...unused(...bertHeads),
  ],
});

/** BERT that predicts hidden tokens; its output is the embedding. */
export const bertMaskedMap: WeightMap = {
  prefixes: ['bert.'],
  rules: [
    ...bertRules('bert.'),
    ...both('cls.predictions.transform.dense', 'dense'),
    ...norm('cls.predictions.transform.LayerNorm', 'norm'),
    { from: 'cls.predictions.bias', to: 'bias' },
    ...unused(...bertHeads),
  ],
};

/** The vision transformer of Hugging Face. */
export const vitMap: WeightMap = {
  prefixes: ['vit.'],
  rules: [
    { from: 'embeddings.cls_token', to: 'classToken' },
    { from: 'embeddings.position_embeddings', to: 'positions' },
    ...both('embeddings.patch_embeddings.projection', 'patches', 'channelsLast'),
    ...['query', 'key', 'value'].flatMap((part) =>
      both(`encoder.layer.*.attention.attention.${part}`, `encoder.layers.*.selfAttention.${part}`),
    ),
    ...both('encoder.layer.*.attention.output.dense', 'encoder.layers.*.selfAttention.output'),
    ...both('encoder.layer.*.intermediate.dense', 'encoder.layers.*.feedForward.up'),
    ...both('encoder.layer.*.output.dense', 'encoder.layers.*.feedForward.down'),
    ...both('encoder.layer.*.layernorm_before', 'encoder.layers.*.attentionNorm'),
    ...both('encoder.layer.*.layernorm_after', 'encoder.layers.*.feedForwardNorm'),
    ...both('layernorm', 'encoder.norm'),
    ...both('classifier', 'classifier'),
    ...unused('pooler.dense.*'),
  ],
};

/** A convolution and its batch norm, by the names that a family gives to both: layers `at` and `at + 1` of ours. */
const unit = (convolution: string, norm: string, ours: string, at = 0): WeightRule[] => [
  { from: `${convolution}.weight`, to: `${ours}.${at}.weight`, change: 'channelsLast' },
  ...both(norm, `${ours}.${at + 1}`),
  { from: `${norm}.running_mean`, to: `${ours}.${at + 1}.runningMean` },
  { from: `${norm}.running_var`, to: `${ours}.${at + 1}.runningVariance` },
  ...unused(`${norm}.num_batches_tracked`),
];
/** Convolutions of a block; each has a norm and an activation behind it. */
const convolutions = [0, 1, 2];

/** ResNet of Hugging Face. */
export const resnetMap: WeightMap = {
  prefixes: ['resnet.'],
  rules: [
    ...unit('embedder.embedder.convolution', 'embedder.embedder.normalization', 'stem'),
    ...convolutions.flatMap((i) => {
      const theirs = `encoder.stages.*.layers.*.layer.${i}`;
      return unit(`${theirs}.convolution`, `${theirs}.normalization`, 'stages.*.*.body', 3 * i);
    }),
    ...unit('encoder.stages.*.layers.*.shortcut.convolution', 'encoder.stages.*.layers.*.shortcut.normalization', 'stages.*.*.shortcut'),
    ...both('classifier.1', 'classifier'),
  ],
};

/** ResNet of torchvision: layers from 1, convolutions from 1. */
export const torchvisionResnetMap: WeightMap = {
  rules: [
    ...unit('conv1', 'bn1', 'stem'),
    ...[0, 1, 2, 3].flatMap((stage) => {
      const theirs = `layer${stage + 1}.*`;
      return [
        ...convolutions.flatMap((i) => unit(`${theirs}.conv${i + 1}`, `${theirs}.bn${i + 1}`, `stages.${stage}.*.body`, 3 * i)),
        ...unit(`${theirs}.downsample.0`, `${theirs}.downsample.1`, `stages.${stage}.*.shortcut`),
      ];
    }),
    ...both('fc', 'classifier'),
  ],
};
