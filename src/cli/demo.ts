import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { augment, datasets, transforms } from '../data/index.js';
import { PolluxError } from '../errors.js';
import * as losses from '../losses/index.js';
import { ConfusionMatrix } from '../metrics/index.js';
import { articleCnn, mnistCnn } from '../models/index.js';
import type { Module } from '../nn/index.js';
import * as optim from '../optim/index.js';
import { seed } from '../tensor/index.js';
import { type Samples, Trainer } from '../train/index.js';
import { drawSheet, plotTraining } from '../plot/index.js';
import type { Output } from './program.js';

export interface DemoOptions {
  model: 'demo' | 'article';
  epochs: number;
  batchSize: number;
  seed: number;
  device: string;
  /** Folder for the plot, the sheet and the model. */
  output: string;
  /** File for the figures. */
  json?: string;
}

/** What `--json` writes. */
export interface DemoResult {
  model: string;
  testAccuracy: number;
  epochs: number;
  secondsPerEpoch: number;
  imagesPerSecond: number;
  device: string;
  precision: string;
}

const shownDigits = 60;

type Digits = Awaited<ReturnType<typeof datasets.mnist>>['train'];

/** Both recipes: the network, its data and its optimizer. */
function recipe(options: DemoOptions, train: Digits): { model: Module; data: Samples; optimizer: optim.OptimizerDescription } {
  const steps = Math.ceil(train.length / options.batchSize) * options.epochs;
  if (options.model === 'article') return { model: articleCnn(), data: train, optimizer: optim.adam({ learningRate: 1e-3 }) };
  return {
    model: mnistCnn(),
    data: augment(train, 'x', transforms.randomShift(2)),
    optimizer: optim.adamW({ learningRate: optim.schedules.oneCycle({ peak: 4e-3, total: steps }), weightDecay: 1e-2 }),
  };
}

/** Trains on the real MNIST, reports, draws, saves, reloads and compares. Resolves to the figures. */
export async function runDemo(options: DemoOptions, { out }: Output): Promise<DemoResult> {
  seed(options.seed);
  const { train, test } = await datasets.mnist();
  const { model, data, optimizer } = recipe(options, train);
  const make = (network: Module): Trainer =>
    new Trainer(network, { loss: losses.crossEntropy, optimizer, metrics: ['accuracy'], device: options.device });
  const trainer = make(model);
  const parameters = [...model.parameters().values()].reduce((sum, parameter) => sum + parameter.size, 0);
  out(
    `MNIST: ${train.length} training and ${test.length} test images. Model '${options.model}' with ${parameters.toLocaleString('en-US')} parameters on '${trainer.device}'.\n`,
  );

  const run = trainer.fit(data, {
    epochs: options.epochs,
    batchSize: options.batchSize,
    seed: options.seed,
    validation: test,
    progress: true,
  });
  const training = { loss: [] as { at: number; value: number }[], accuracy: [] as { at: number; value: number }[] };
  const validation = { loss: [] as { at: number; value: number }[], accuracy: [] as { at: number; value: number }[] };
  const seconds: number[] = [];
  let images = 0;
  for await (const event of run) {
    if (event.type === 'step') {
      const at = event.step / event.stepsPerEpoch!;
      training.loss.push({ at, value: event.loss });
      training.accuracy.push({ at, value: event.figures['accuracy']! });
    } else if (event.type === 'epoch') {
      seconds.push(event.seconds);
      images += event.samplesPerSecond * event.seconds;
      validation.loss.push({ at: event.epoch, value: event.validation!.loss });
      validation.accuracy.push({ at: event.epoch, value: event.validation!['accuracy']! });
    }
  }

  const { predicted, labels } = await classify(trainer, test);
  const matrix = new ConfusionMatrix(10).update(predicted, labels);
  out(`\n${matrix.report()}\nConfusion matrix (rows: truth, columns: prediction)\n${matrix}\n\n`);

  await mkdir(options.output, { recursive: true });
  const files = {
    curves: join(options.output, 'training.svg'),
    sheet: join(options.output, 'digits.svg'),
    model: join(options.output, 'mnist.safetensors'),
  };
  await writeFile(
    files.curves,
    plotTraining({
      title: `MNIST, model '${options.model}'`,
      loss: { training: training.loss, validation: validation.loss },
      accuracy: { training: training.accuracy, validation: validation.accuracy },
    }),
  );
  await writeFile(files.sheet, await digitSheet(test, predicted, labels));
  await model.save(files.model);

  const reloaded = recipe(options, train).model;
  await reloaded.load(files.model);
  const again = await classify(make(reloaded), test);
  if (again.predicted.some((digit, i) => digit !== predicted[i])) {
    throw new PolluxError('INTERNAL', `The model read back from ${files.model} does not predict what the trained one does.`);
  }
  out(
    `Saved ${files.model}, read it back: all ${predicted.length} predictions are equal.\nPlot: ${files.curves}\nPredicted digits: ${files.sheet}\n`,
  );

  const total = seconds.reduce((a, b) => a + b, 0);
  const result: DemoResult = {
    model: options.model,
    testAccuracy: matrix.accuracy,
    epochs: options.epochs,
    secondsPerEpoch: total / seconds.length,
    imagesPerSecond: images / total,
    device: trainer.device,
    precision: 'float32',
  };
  out(
    `Test accuracy ${result.testAccuracy.toFixed(4)} after ${options.epochs} epochs of ${result.secondsPerEpoch.toFixed(1)} s (${Math.round(result.imagesPerSecond).toLocaleString('en-US')} images/s).\n`,
  );
  if (options.json) await writeFile(options.json, `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

/** Predicted and true classes of a dataset, in order. */
async function classify(trainer: Trainer, data: Samples): Promise<{ predicted: Int32Array; labels: Int32Array }> {
  const outputs = await trainer.predict(data);
  const predicted = (await outputs.argmax(-1).data()) as Int32Array;
  outputs.dispose();
  const indices = Uint32Array.from({ length: data.length }, (_, i) => i);
  const { y } = await data.get(indices);
  return { predicted, labels: y.data as Int32Array };
}

/** Mistakes first, then the first digits of the set. */
async function digitSheet(data: Samples, predicted: Int32Array, labels: Int32Array): Promise<string> {
  const wrong = [...predicted.keys()].filter((i) => predicted[i] !== labels[i]).slice(0, shownDigits / 2);
  const right = [...predicted.keys()].filter((i) => predicted[i] === labels[i]).slice(0, shownDigits - wrong.length);
  const chosen = [...wrong, ...right];
  const { x } = await data.get(chosen);
  const size = 28 * 28;
  const pixels = x.data as Float32Array;
  return drawSheet(
    chosen.map((index, i) => ({ pixels: pixels.subarray(i * size, (i + 1) * size), predicted: predicted[index]!, truth: labels[index]! })),
    { title: `Predicted digits: ${wrong.length} of the mistakes first`, size: [28, 28] },
  );
}
