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

/** A convolution without bias and a batch norm. */
export class ConvolutionUnit extends nn.Module {
  readonly convolution: nn.Conv2d;
  readonly norm: nn.BatchNorm;

  constructor(inSize: number, outSize: number, kernelSize: number, stride = 1) {
    super();
    this.convolution = new nn.Conv2d(inSize, outSize, kernelSize, {
      stride,
      padding: Math.floor(kernelSize / 2),
      bias: false,
      weightInit: nn.init.heNormal,
    });
    this.norm = new nn.BatchNorm(outSize);
  }

  forward(x: Tensor): Tensor {
    return this.norm.forward(this.convolution.forward(x) as Tensor);
  }
}

/** Convolutions beside a shortcut, which is a 1x1 convolution where the shape changes (He et al. 2016). */
export class ResNetBlock extends nn.Module {
  readonly units: readonly ConvolutionUnit[];
  readonly shortcut: ConvolutionUnit | undefined;

  constructor(
    readonly inSize: number,
    readonly outSize: number,
    options: { stride?: number; bottleneck?: boolean } = {},
  ) {
    super();
    const { stride = 1, bottleneck = false } = options;
    const inner = outSize / 4;
    if (bottleneck && !Number.isInteger(inner))
      throw new RangeError(`ResNetBlock: a bottleneck of ${outSize} channels needs a multiple of 4.`);
    this.units = bottleneck
      ? [new ConvolutionUnit(inSize, inner, 1), new ConvolutionUnit(inner, inner, 3, stride), new ConvolutionUnit(inner, outSize, 1)]
      : [new ConvolutionUnit(inSize, outSize, 3, stride), new ConvolutionUnit(outSize, outSize, 3)];
    this.shortcut = stride !== 1 || inSize !== outSize ? new ConvolutionUnit(inSize, outSize, 1, stride) : undefined;
  }

  forward(x: Tensor): Tensor {
    const last = this.units.length - 1;
    const y = this.units.reduce((z, unit, i) => (i < last ? nn.relu(unit.forward(z)) : unit.forward(z)), x);
    return nn.relu(y.add(this.shortcut ? this.shortcut.forward(x) : x));
  }
}

/** Residual network (He et al. 2016): images [batch, height, width, channels] to logits [batch, classes]. */
export class ResNet extends nn.Module {
  readonly stem: ConvolutionUnit;
  readonly stages: readonly (readonly ResNetBlock[])[];
  readonly classifier: nn.Linear;

  constructor(readonly config: ResNetConfig) {
    super();
    const { channels = 3, stemSize = 64, depths, block = 'basic', classes } = config;
    const bottleneck = block === 'bottleneck';
    const { sizes = [64, 128, 256, 512].map((size) => (bottleneck ? 4 * size : size)) } = config;
    if (sizes.length !== depths.length)
      throw new RangeError(`ResNet: ${sizes.length} sizes and ${depths.length} depths; give one of each for a stage.`);
    this.stem = new ConvolutionUnit(channels, stemSize, 7, 2);
    let inSize = stemSize;
    this.stages = depths.map((depth, stage) =>
      Array.from({ length: depth }, (_, i) => {
        const made = new ResNetBlock(inSize, sizes[stage]!, { stride: stage > 0 && i === 0 ? 2 : 1, bottleneck });
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
    const first = nn.maxPool2d(3, { stride: 2, padding: 1 })(nn.relu(this.stem.forward(images as Tensor)) as never) as Tensor;
    const features = this.stages.flat().reduce((x, block) => block.forward(x), first);
    return this.classifier.forward(features.mean([1, 2]) as Tensor) as never;
  }
}
