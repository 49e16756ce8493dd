import * as nn from '../nn/index.js';
import type { Shape, Tensor } from '../tensor/index.js';
import { type ConfigJson, ConfigReader } from './config.js';

export interface ResNetConfig {
  /** Default 3. */
  readonly channels?: number;
  /** Channels behind the first convolution. Default 64. */
  readonly stemSize?: number;
  /** Channels of each stage. Default [64, 128, 256, 512]; four times that with bottlenecks. */
  readonly sizes?: readonly number[];
  /** Blocks of each stage: [2, 2, 2, 2] is ResNet-18, [3, 4, 6, 3] ResNet-34, and with bottlenecks ResNet-50. */
  readonly depths: readonly number[];
  /** Two convolutions of 3x3, or 1x1, 3x3, 1x1 with a quarter of the channels. Default 'basic'. */
  readonly block?: 'basic' | 'bottleneck';
  readonly classes: number;
}

type Block = nn.ResNetBasicBlock | nn.ResNetBottleneckBlock;

/** Residual network (He et al. 2016): images [batch, height, width, channels] to logits [batch, classes]. */
export class ResNet extends nn.Module {
  readonly stem: nn.Sequential;
  readonly stages: readonly (readonly Block[])[];
  readonly classifier: nn.Linear;

  constructor(readonly config: ResNetConfig) {
    super();
    const { channels = 3, stemSize = 64, depths, block = 'basic', classes } = config;
    const bottleneck = block === 'bottleneck';
    const { sizes = [64, 128, 256, 512].map((size) => (bottleneck ? 4 * size : size)) } = config;
    if (sizes.length !== depths.length)
      throw new RangeError(`ResNet: ${sizes.length} sizes and ${depths.length} depths; give one of each for a stage.`);
    const Kind = bottleneck ? nn.ResNetBottleneckBlock : nn.ResNetBasicBlock;
    this.stem = nn.convBlock(channels, stemSize, 7, { stride: 2 });
    let inSize = stemSize;
    this.stages = depths.map((depth, stage) =>
      Array.from({ length: depth }, (_, i) => {
        const made = new Kind(inSize, sizes[stage]!, { stride: stage > 0 && i === 0 ? 2 : 1 });
        inSize = sizes[stage]!;
        return made;
      }),
    );
    this.classifier = new nn.Linear(inSize, classes);
  }

  /** From the `config.json` of a published model. @throws INVALID_ARGUMENT, UNSUPPORTED */
  static fromConfig(json: ConfigJson): ResNet {
    const read = new ConfigReader('ResNet', json);
    read.refuse('downsample_in_first_stage', false);
    read.refuse('downsample_in_bottleneck', false);
    read.choice('hidden_act', { relu: true }, 'relu');
    const lists = { hidden_sizes: json.hidden_sizes, depths: json.depths };
    for (const [name, list] of Object.entries(lists)) if (!Array.isArray(list)) read.size(name);
    const labels = json.id2label;
    return new ResNet({
      channels: read.optionalSize('num_channels') ?? 3,
      stemSize: read.optionalSize('embedding_size') ?? 64,
      sizes: lists.hidden_sizes as number[],
      depths: lists.depths as number[],
      block: read.choice('layer_type', { basic: 'basic', bottleneck: 'bottleneck' }, 'bottleneck'),
      classes: typeof labels === 'object' && labels !== null ? Object.keys(labels).length : (read.optionalSize('num_labels') ?? 2),
    });
  }

  forward(images: Tensor<Shape, 'float32'>): Tensor<readonly [number, number], 'float32'> {
    const first = nn.maxPool2d(3, { stride: 2, padding: 1 })(this.stem.forward(images as never) as never) as Tensor;
    const features = this.stages.flat().reduce((x, block) => block.forward(x as never) as Tensor, first);
    return this.classifier.forward(features.mean([1, 2]) as Tensor) as never;
  }
}
