import { createRequire } from 'node:module';
import { serve } from '../serve.js';

/** The little of TensorFlow.js that is used here; it is no dependency of the project. */
interface Tfjs {
  version: { tfjs: string };
  tensor(data: Float32Array, shape: number[]): unknown;
  oneHot(indices: unknown, depth: number): unknown;
  tensor1d(data: number[], dtype: string): unknown;
  sequential(options: { layers: unknown[] }): {
    compile(options: object): void;
    trainOnBatch(x: unknown, y: unknown): Promise<number>;
  };
  layers: Record<'conv2d' | 'maxPooling2d' | 'flatten' | 'dense', (options: object) => unknown>;
  train: { adam(rate: number): unknown };
}

await serve((workload) => {
  if (workload !== 'mnist-cnn') throw new Error(`TensorFlow.js has no program for ${workload}`);
  const tf = createRequire(import.meta.url)('@tensorflow/tfjs') as Tfjs;
  const batch = 128;
  const data = Float32Array.from({ length: batch * 784 }, (_, i) => ((i * 2654435761) % 2 ** 32) / 2 ** 32);
  const x = tf.tensor(data, [batch, 28, 28, 1]);
  const labels = Array.from({ length: batch }, (_, i) => i % 10);
  const y = tf.oneHot(tf.tensor1d(labels, 'int32'), 10);
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [28, 28, 1], filters: 32, kernelSize: 3, activation: 'relu' }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten({}),
      tf.layers.dense({ units: 64, activation: 'relu' }),
      tf.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(1e-3), loss: 'categoricalCrossentropy' });
  let loss = Number.NaN;
  return {
    title: `TensorFlow.js ${tf.version.tfjs}, cpu`,
    step: async () => {
      loss = await model.trainOnBatch(x, y);
    },
    result: () => loss,
  };
});
