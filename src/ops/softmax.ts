import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import type { Type } from '../graph/op.js';
import { div, mul, sub } from './arithmetic.js';
import { sum } from './broadcast.js';
import { applyOne, defineRecord } from './define.js';
import type { Definition } from './define.js';
import { detach } from './leaf.js';
import { swapAxes } from './movement.js';
import { logSumExp, max } from './reduce.js';
import { fail, float, normaliseAxis, requireDtype, requireSameDtype, requireSameShape } from './support.js';
import { exp } from './unary.js';

type NoAttributes = Record<never, never>;

const normalisation = (name: string, flopsEach: number, rule: Pick<Definition<NoAttributes>, 'gradient' | 'decompose' | 'inPlace'>) =>
  defineRecord({
    name,
    cost: 'normalisation',
    infer(inputs) {
      for (const input of inputs as readonly Type[]) {
        requireDtype(name, input, float);
        requireSameDtype(name, inputs[0], input);
        requireSameShape(name, inputs[0], input);
      }
      if (inputs[0].shape.length === 0) fail('SHAPE_MISMATCH', name, 'a scalar has no axis to normalise');
      return inputs[0];
    },
    flops: ([x]) => flopsEach * sizeOf(x.shape),
    ...rule,
  });

const overLast = (x: Value): Value => sum(x, -1, true);

export const softmaxRecords = {
  softmax: normalisation('softmax', 5, {
    inPlace: [[0, 0]],
    gradient: ({ dy, y }) => softmaxGrad(dy, y),
    decompose([x]) {
      const powers = exp(sub(x, detach(max(x, -1, true))));
      return div(powers, overLast(powers));
    },
  }),
  logSoftmax: normalisation('logSoftmax', 5, {
    inPlace: [[0, 0]],
    gradient: ({ dy, y }) => logSoftmaxGrad(dy, y),
    decompose: ([x]) => sub(x, logSumExp(x, -1, true)),
  }),
  softmaxGrad: normalisation('softmaxGrad', 4, {
    inPlace: [
      [0, 0],
      [0, 1],
    ],
    decompose: ([dy, y]) => mul(y, sub(dy, overLast(mul(dy, y)))),
  }),
  logSoftmaxGrad: normalisation('logSoftmaxGrad', 4, {
    inPlace: [
      [0, 0],
      [0, 1],
    ],
    decompose: ([dy, y]) => sub(dy, mul(exp(y), overLast(dy))),
  }),
};

/** The gradient of softmax over the last axis, from its output. */
export const softmaxGrad = (dy: Value, y: Value): Value => applyOne(softmaxRecords.softmaxGrad, [dy, y], {});
/** The gradient of logSoftmax over the last axis, from its output. */
export const logSoftmaxGrad = (dy: Value, y: Value): Value => applyOne(softmaxRecords.logSoftmaxGrad, [dy, y], {});

/** Applies an op of the last axis to another. */
function along(name: 'softmax' | 'logSoftmax', x: Value, axis: number): Value {
  const at = normaliseAxis(name, axis, x.shape.length);
  return swapAxes(applyOne(softmaxRecords[name], [swapAxes(x, at, -1)], {}), at, -1);
}

/** e^x over the sum of e^x along an axis, without overflow. */
export const softmax = (x: Value, axis = -1): Value => along('softmax', x, axis);
/** ln(softmax(x)), without overflow. */
export const logSoftmax = (x: Value, axis = -1): Value => along('logSoftmax', x, axis);
