export { type DType, dtypes } from '../graph/dtype.js';
export type { ArgumentOf } from './arguments.js';
export { TensorBase } from './base.js';
export { type Compiled, compile, type CompileOptions, type Precision, type RunCallOptions, type StepMeasurement } from './compile.js';
export {
  arange,
  bernoulli,
  eye,
  full,
  type HostData,
  leafTensor,
  linspace,
  logspace,
  normal,
  ones,
  onesLike,
  tensor,
  uniform,
  zeros,
  zerosLike,
} from './create.js';
export { defineOp, type OpDefinition } from './defineOp.js';
export * as fft from './fft.js';
export { clearPlans, defaultDevice, resolveDevice, setDefaultDevice } from './evaluate.js';
export { setThreads, threads } from '../runtime/index.js';
export { concat, devices, evaluate, masked, memory, noGrad, oneHot, stack, tidy, where } from './functions.js';
export { checkpoint, customGradient, grad, type GradOptions, gradientsOf, reachedGradients, valueAndGrad } from './gradients.js';
export { type ArrayOf, type NestedArray, type TypedArray, typedArray } from './host.js';
export { type DrawSource, type Initializer, Parameter } from './parameter.js';
export { draw, generator, seed } from './random.js';
export { scan, type ScanOptions, type SliceOf, type StackOf } from './scan.js';
export type { Ranked } from './ordering.js';
export { cdist, cosineSimilarity, einsum, linearRecurrence, meshgrid, pairwiseDistance, tensordot } from './products.js';
export { categorical, multinomial, permutation, randint, shuffle } from './sampling.js';
export { type Index, type Range, range, Selection } from './selection.js';
export type { Broadcast, Fit, Init, Last, MatMul, Nested, Pooled, Sequences, Shape, ShapeOf, Show, Spatial, Takes } from './shapes.js';
export { outsideTidy, Storage } from './storage.js';
export { type SharedTensor, Tensor } from './tensor.js';
export { currentTrace } from './trace.js';
export { dryRun, type Stateful } from './tracing.js';
export { mapTree, tensorsOf, type Tree } from './tree.js';
export { scalar, tensorValue, wrap } from './wrap.js';
