import * as nn from '../nn/index.js';
import * as ops from '../ops/index.js';
import { Parameter, type Shape, type Tensor, wrap } from '../tensor/index.js';
import { type ConfigJson, ConfigReader } from './config.js';

export interface VisionTransformerConfig {
  /** Height and width of the images. */
  readonly imageSize: number;
  /** Height and width of a patch; it divides imageSize. */
  readonly patchSize: number;
  /** Default 3. */
  readonly channels?: number;
  readonly size: number;
  readonly layers: number;
  readonly heads: number;
  /** Default 4 size. */
  readonly hiddenSize?: number;
  readonly classes: number;
  /** Default 0. */
  readonly dropout?: number;
  /** Default 1e-12. */
  readonly epsilon?: number;
}

/**
 * Vision transformer (Dosovitskiy et al. 2021): images [batch, height, width, channels] are cut into patches, which a transformer reads
 * as words; a class token in front of them is what the classifier sees. Logits [batch, classes].
 */
export class VisionTransformer extends nn.Module {
  readonly patches: nn.Conv2d;
  readonly classToken: Parameter<readonly [1, 1, number], 'float32'>;
  readonly positions: Parameter<readonly [1, number, number], 'float32'>;
  readonly drop: nn.Dropout;
  readonly encoder: nn.TransformerEncoder;
  readonly classifier: nn.Linear;

  constructor(readonly config: VisionTransformerConfig) {
    super();
    const {
      imageSize,
      patchSize,
      channels = 3,
      size,
      layers,
      heads,
      hiddenSize = 4 * size,
      classes,
      dropout = 0,
      epsilon = 1e-12,
    } = config;
    if (imageSize % patchSize) throw new RangeError(`VisionTransformer: patches of ${patchSize} do not divide images of ${imageSize}.`);
    this.patches = new nn.Conv2d(channels, size, patchSize, { stride: patchSize });
    this.classToken = new Parameter([1, 1, size] as const, nn.init.normal(0.02));
    this.positions = new Parameter([1, (imageSize / patchSize) ** 2 + 1, size] as const, nn.init.normal(0.02));
    this.drop = new nn.Dropout(dropout);
    this.encoder = new nn.TransformerEncoder(layers, size, heads, { preNorm: true, activation: 'gelu', hiddenSize, dropout, epsilon });
    this.classifier = new nn.Linear(size, classes);
  }

  /** From the `config.json` of a published model. @throws INVALID_ARGUMENT, UNSUPPORTED */
  static fromConfig(json: ConfigJson): VisionTransformer {
    const read = new ConfigReader('ViT', json);
    read.refuse('hidden_act', 'gelu');
    read.refuse('qkv_bias', true);
    const labels = json.id2label;
    return new VisionTransformer({
      imageSize: read.size('image_size'),
      patchSize: read.size('patch_size'),
      channels: read.optionalSize('num_channels') ?? 3,
      size: read.size('hidden_size'),
      layers: read.size('num_hidden_layers'),
      heads: read.size('num_attention_heads'),
      hiddenSize: read.size('intermediate_size'),
      classes: typeof labels === 'object' && labels !== null ? Object.keys(labels).length : (read.optionalSize('num_labels') ?? 2),
      dropout: read.number('hidden_dropout_prob', 0),
      epsilon: read.number('layer_norm_eps', 1e-12),
    });
  }

  forward(images: Tensor<Shape, 'float32'>): Tensor<readonly [number, number], 'float32'> {
    const patches = this.patches.forward(images as Tensor) as Tensor;
    const [batch, rows, columns, size] = patches.shape as readonly [number, number, number, number];
    const first = ops.broadcast(this.classToken.value, [batch, 1, size]);
    const words = ops.concat([first, ops.reshape(patches.value, [batch, rows * columns, size])], 1);
    const states = this.encoder.forward(this.drop.forward(wrap(ops.add(words, this.positions.value))));
    return this.classifier.forward(states.get(':', 0) as Tensor) as never;
  }
}
