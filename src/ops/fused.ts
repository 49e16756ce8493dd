// Ops that only fusion makes: kernels that never write what lies between two ops. The compiler alone applies them, where a backend
// describes them; their decompositions say what they compute.
import { apply } from '../graph/node.js';
import { add } from './arithmetic.js';
import { conv2dGradWeight, convFlops, convRecords, convolvedShape, plainConv, requireBias } from './conv.js';
import type { WindowAttributes } from './conv.js';
import { applyOne, defineRecord } from './define.js';
import { maxPool2dGrad, pooledShape, poolRecords, requireIndexable } from './pool.js';
import { fail, showShape } from './support.js';
import { relu } from './unary.js';

type ConvPoolAttributes = WindowAttributes & { readonly window: readonly number[]; readonly activation: string };
type GradWeightUnpoolAttributes = WindowAttributes & {
  readonly kernelSize: readonly number[];
  readonly window: readonly number[];
  readonly outputSize: readonly number[];
};

/** Windows that lie side by side. */
const tiles = (window: readonly number[]) => ({ window, stride: window, padding: [0, 0, 0, 0] });

export const fusedRecords = {
  conv2dMaxPool: defineRecord<ConvPoolAttributes>({
    name: 'conv2dMaxPool',
    cost: 'contraction',
    infer([x, w, bias], attributes) {
      const convolved = convolvedShape('conv2dMaxPool', x, w, plainConv(attributes));
      requireBias('conv2dMaxPool', bias, convolved[3]);
      requireIndexable('conv2dMaxPool', attributes.window);
      const shape = pooledShape('conv2dMaxPool', { shape: convolved, dtype: x.dtype }, tiles(attributes.window));
      return [
        { shape, dtype: x.dtype },
        { shape, dtype: 'uint8' },
      ];
    },
    decompose([x, w, bias], { stride, padding, window, activation }) {
      const convolved = add(applyOne(convRecords.conv2d, [x, w], { ...plainConv({ stride, padding }), activation: 'none' }), bias);
      const [y, index] = apply(poolRecords.maxPool2d, [convolved], tiles(window));
      return [activation === 'relu' ? relu(y!) : y!, index!];
    },
    flops: ([x, w], _, attributes) => convFlops(w.shape, convolvedShape('conv2dMaxPool', x, w, plainConv(attributes))),
  }),
  conv2dGradWeightUnpool: defineRecord<GradWeightUnpoolAttributes>({
    name: 'conv2dGradWeightUnpool',
    cost: 'contraction',
    infer([x, dy, index], attributes) {
      const { kernelSize, window, outputSize } = attributes;
      const w = { shape: [dy.shape[3]!, ...kernelSize, x.shape[3]!], dtype: x.dtype };
      const convolved = convolvedShape('conv2dGradWeightUnpool', x, w, plainConv(attributes));
      if (convolved[1] !== outputSize[0] || convolved[2] !== outputSize[1]) {
        fail(
          'SHAPE_MISMATCH',
          'conv2dGradWeightUnpool',
          `outputSize is ${showShape(outputSize)}, but the convolution has ${showShape(convolved)}`,
        );
      }
      poolRecords.maxPool2dGrad.infer([dy, index], { ...tiles(window), inputSize: outputSize });
      return w;
    },
    decompose([x, dy, index], { stride, padding, kernelSize, window, outputSize }) {
      const unpooled = maxPool2dGrad(dy, index, { ...tiles(window), inputSize: outputSize });
      return conv2dGradWeight(x, unpooled, { ...plainConv({ stride, padding }), kernelSize });
    },
    flops: ([x], [w], attributes) => convFlops(w.shape, convolvedShape('conv2dGradWeightUnpool', x, w, plainConv(attributes))),
  }),
};
