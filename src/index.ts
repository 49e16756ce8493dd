export type { ArrayField, Batch, Dataset, HostArray, LoaderOptions, LoaderState, Schema } from './data/index.js';
export { ArrayDataset, augment, classLabels, DataLoader, datasets, transforms } from './data/index.js';
export { AbortError, DisposedError, type ErrorCode, PolluxError } from './errors.js';
export { readSafetensors, writeSafetensors } from './io/index.js';
export * as losses from './losses/index.js';
export * as metrics from './metrics/index.js';
export * as models from './models/index.js';
export * as nn from './nn/index.js';
export * as optim from './optim/index.js';
export * as text from './text/index.js';
export {
  arange,
  bernoulli,
  checkpoint,
  type Compiled,
  compile,
  type CompileOptions,
  concat,
  customGradient,
  defaultDevice,
  defineOp,
  devices,
  type DType,
  evaluate,
  eye,
  full,
  grad,
  gradientsOf,
  type HostData,
  type Index,
  masked,
  memory,
  noGrad,
  normal,
  oneHot,
  ones,
  onesLike,
  type OpDefinition,
  Parameter,
  range,
  scan,
  type ScanOptions,
  seed,
  setDefaultDevice,
  setThreads,
  type Shape,
  stack,
  type SharedTensor,
  type Stateful,
  Tensor,
  tensor,
  threads,
  tidy,
  uniform,
  valueAndGrad,
  where,
  zeros,
  zerosLike,
} from './tensor/index.js';
export { type FitOptions, FitRun, type History, type Metric, type TrainEvent, Trainer, type TrainerOptions } from './train/index.js';
export { version } from './version.js';
