import { checkOptions } from '../../errors.js';
import type { Callback } from '../callback.js';
import { columnsOf } from './csv.js';
import { LineFile } from './lineFile.js';

export interface StepLogOptions {
  /** Also log every so many steps. Default: only the ends of epochs. */
  every?: number;
}

export function checkEvery(where: string, { every }: StepLogOptions): void {
  if (every !== undefined && !(Number.isInteger(every) && every >= 1))
    throw new RangeError(`${where}: every must be an integer of at least 1, got ${every}.`);
}

/**
 * Writes an object a line: `{"type":"epoch","epoch":1,"step":469,"loss":0.2,"validation.loss":0.1,...}`, and with `every` also
 * `{"type":"step",...}`. What is no finite number is null. A new run begins the file anew, a resumed one goes on.
 */
export function jsonLinesLogger(path: string, options: StepLogOptions = {}): Callback {
  checkOptions('jsonLinesLogger', options, ['every']);
  checkEvery('jsonLinesLogger', options);
  const { every } = options;
  const file = new LineFile(path);
  return {
    async onFitStart({ step, history }) {
      // An epoch that ended at the checkpoint's very step was perhaps logged after it.
      const epochs = history.epochs.length;
      await file.open(step > 0 ? (line) => isBefore(line, step, epochs) : undefined);
    },
    onStep({ epoch, step, loss, learningRate, samplesPerSecond }) {
      if (every && step % every === 0) file.write(JSON.stringify({ type: 'step', epoch, step, loss, learningRate, samplesPerSecond }));
    },
    async onEpochEnd(event) {
      file.write(JSON.stringify({ type: 'epoch', ...columnsOf(event) }));
      await file.flush();
    },
    onFitEnd: () => file.close(),
  };
}

function isBefore(line: string, step: number, epochs: number): boolean {
  try {
    const record = JSON.parse(line) as { type: string; step: number; epoch: number };
    return record.type === 'epoch' ? record.epoch <= epochs : record.step <= step;
  } catch {
    return false;
  }
}
