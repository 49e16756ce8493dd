import * as nn from '../nn/index.js';
import { Parameter, range, type Shape, type Tensor } from '../tensor/index.js';
import { type ConfigJson, ConfigReader } from './config.js';

export interface BertConfig {
  readonly vocabularySize: number;
  readonly maxLength: number;
  readonly size: number;
  readonly layers: number;
  readonly heads: number;
  /** Default 4 size. */
  readonly hiddenSize?: number;
  /** Kinds of texts: 2, the first and the second of a pair. */
  readonly types?: number;
  /** Default 0.1. */
  readonly dropout?: number;
  /** Default 'gelu'. */
  readonly activation?: 'gelu' | 'geluTanh' | 'relu' | 'silu';
  /** Default 1e-12. */
  readonly epsilon?: number;
}

export interface BertInputs {
  /** bool [batch, length]: true where a token stands, false where padding does. Default: everywhere. */
  mask?: Tensor<Shape, 'bool'>;
  /** int32 [batch, length]: 0 for the first text, 1 for the second. Default: 0. */
  typeIds?: Tensor<Shape, 'int32' | 'int64'>;
}

const activations = { gelu: 'gelu', gelu_new: 'geluTanh', gelu_pytorch_tanh: 'geluTanh', relu: 'relu', silu: 'silu' } as const;

/** Settings from the `config.json` of a published BERT. @throws INVALID_ARGUMENT, UNSUPPORTED */
export function bertConfig(json: ConfigJson): BertConfig {
  const read = new ConfigReader('BERT', json);
  read.refuse('position_embedding_type', 'absolute');
  read.refuse('is_decoder', false);
  return {
    vocabularySize: read.size('vocab_size'),
    maxLength: read.size('max_position_embeddings'),
    size: read.size('hidden_size'),
    layers: read.size('num_hidden_layers'),
    heads: read.size('num_attention_heads'),
    hiddenSize: read.size('intermediate_size'),
    types: read.optionalSize('type_vocab_size') ?? 2,
    dropout: read.number('hidden_dropout_prob', 0.1),
    activation: read.choice('hidden_act', activations, 'gelu'),
    epsilon: read.number('layer_norm_eps', 1e-12),
  };
}

/** BERT (Devlin et al. 2019): ids [batch, length] to states [batch, length, size]. */
export class Bert extends nn.Module {
  readonly tokens: nn.Embedding;
  readonly positions: nn.LearnedPosition;
  readonly types: nn.Embedding;
  readonly norm: nn.LayerNorm;
  readonly drop: nn.Dropout;
  readonly encoder: nn.TransformerEncoder;

  constructor(readonly config: BertConfig) {
    super();
    const { vocabularySize, maxLength, size, layers, heads, hiddenSize = 4 * size, types = 2, dropout = 0.1 } = config;
    const { activation = 'gelu', epsilon = 1e-12 } = config;
    this.tokens = new nn.Embedding(vocabularySize, size, { weightInit: nn.init.normal(0.02) });
    this.positions = new nn.LearnedPosition(maxLength, size);
    this.types = new nn.Embedding(types, size, { weightInit: nn.init.normal(0.02) });
    this.norm = new nn.LayerNorm(size, { epsilon });
    this.drop = new nn.Dropout(dropout);
    this.encoder = new nn.TransformerEncoder(layers, size, heads, { hiddenSize, activation, dropout, epsilon });
  }

  forward(ids: Tensor<Shape, 'int32' | 'int64'>, inputs: BertInputs = {}): Tensor<readonly [number, number, number], 'float32'> {
    const { mask, typeIds } = inputs;
    // Without typeIds all is text 0: its row, for every token.
    const types = typeIds ? this.types.forward(typeIds) : (this.types.weight as Tensor).get(range(0, 1));
    const embedded = this.positions.forward((this.tokens.forward(ids) as Tensor).add(types as Tensor));
    const x = this.drop.forward(this.norm.forward(embedded));
    return this.encoder.forward(x, mask ? { keyPaddingMask: mask.logicalNot() } : {}) as never;
  }
}

/** The state of the first token, through a dense layer and tanh: what a sentence is judged by. */
export class BertPooler extends nn.Module {
  readonly dense: nn.Linear;

  constructor(readonly size: number) {
    super();
    this.dense = new nn.Linear(size, size);
  }

  forward(states: Tensor): Tensor {
    return nn.tanh(this.dense.forward(states.get(':', 0) as Tensor));
  }
}

/** BERT with a classifier on top: logits [batch, classes]. For fine-tuning on texts or pairs of texts. */
export class BertClassifier extends nn.Module {
  readonly bert: Bert;
  readonly pooler: BertPooler;
  readonly drop: nn.Dropout;
  readonly classifier: nn.Linear;

  constructor(
    config: BertConfig,
    readonly classes: number,
  ) {
    super();
    this.bert = new Bert(config);
    this.pooler = new BertPooler(config.size);
    this.drop = new nn.Dropout(config.dropout ?? 0.1);
    this.classifier = new nn.Linear(config.size, classes, { weightInit: nn.init.normal(0.02), biasInit: nn.init.zeros });
  }

  forward(ids: Tensor<Shape, 'int32' | 'int64'>, inputs: BertInputs = {}): Tensor<readonly [number, number], 'float32'> {
    return this.classifier.forward(this.drop.forward(this.pooler.forward(this.bert.forward(ids, inputs) as Tensor))) as never;
  }
}

/** BERT that labels each token: logits [batch, length, classes]. */
export class BertTokenClassifier extends nn.Module {
  readonly bert: Bert;
  readonly drop: nn.Dropout;
  readonly classifier: nn.Linear;

  constructor(
    config: BertConfig,
    readonly classes: number,
  ) {
    super();
    this.bert = new Bert(config);
    this.drop = new nn.Dropout(config.dropout ?? 0.1);
    this.classifier = new nn.Linear(config.size, classes, { weightInit: nn.init.normal(0.02), biasInit: nn.init.zeros });
  }

  forward(ids: Tensor<Shape, 'int32' | 'int64'>, inputs: BertInputs = {}): Tensor<readonly [number, number, number], 'float32'> {
    return this.classifier.forward(this.drop.forward(this.bert.forward(ids, inputs) as Tensor)) as never;
  }
}

const plain = { gelu: nn.gelu, geluTanh: nn.geluTanh, relu: nn.relu, silu: nn.silu };

/** BERT that says which tokens were hidden: logits [batch, length, vocabulary]. The output shares the weight of the embedding. */
export class BertMaskedLanguageModel extends nn.Module {
  readonly bert: Bert;
  readonly dense: nn.Linear;
  readonly norm: nn.LayerNorm;
  readonly bias: Parameter<readonly [number], 'float32'>;

  constructor(config: BertConfig) {
    super();
    this.bert = new Bert(config);
    this.dense = new nn.Linear(config.size, config.size);
    this.norm = new nn.LayerNorm(config.size, { epsilon: config.epsilon ?? 1e-12 });
    this.bias = new Parameter([config.vocabularySize] as const, nn.init.zeros);
  }

  forward(ids: Tensor<Shape, 'int32' | 'int64'>, inputs: BertInputs = {}): Tensor<readonly [number, number, number], 'float32'> {
    const activation = plain[this.bert.config.activation ?? 'gelu'];
    const states = this.norm.forward(activation(this.dense.forward(this.bert.forward(ids, inputs) as Tensor)));
    return states.matmul((this.bert.tokens.weight as Tensor).transpose()).add(this.bias as Tensor) as never;
  }
}
