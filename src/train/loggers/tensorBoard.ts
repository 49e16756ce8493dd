import { hostname } from 'node:os';
import { join } from 'node:path';
import { checkOptions } from '../../errors.js';
import type { Callback } from '../callback.js';
import { AppendFile } from './appendFile.js';
import { histogramRecord, restartRecord, scalarsRecord, versionRecord } from './eventRecord.js';
import { checkEvery, type StepLogOptions } from './jsonLines.js';

export interface TensorBoardOptions extends StepLogOptions {
  /** Histograms of the parameters every so many epochs. Default: none. */
  histograms?: number;
}

let files = 0;

/**
 * Writes event files for TensorBoard (`tensorboard --logdir FOLDER`): `epoch/loss`, `epoch/validation.loss`, ... over the epochs,
 * `learningRate`, and with `every` also `step/loss`. Each run writes a file of its own; a resumed one tells TensorBoard to forget what
 * came after its checkpoint.
 */
export function tensorBoard(folder: string, options: TensorBoardOptions = {}): Callback {
  checkOptions('tensorBoard', options, ['every', 'histograms']);
  checkEvery('tensorBoard', options);
  const { every, histograms } = options;
  if (histograms !== undefined) checkEvery('tensorBoard (histograms)', { every: histograms });
  const now = (): number => Date.now() / 1000;
  let file: AppendFile | undefined;
  return {
    async onFitStart({ step }) {
      const time = String(Math.floor(now())).padStart(10, '0');
      file = new AppendFile(join(folder, `events.out.tfevents.${time}.${hostname()}.${process.pid}.${files++}`));
      await file.open(versionRecord(now()));
      if (step > 0) file.write(restartRecord(now(), step));
    },
    onStep({ step, loss, learningRate, samplesPerSecond }) {
      if (every && step % every === 0)
        file!.write(scalarsRecord(now(), step, { 'step/loss': loss, learningRate, 'step/samplesPerSecond': samplesPerSecond }));
    },
    async onEpochEnd({ epoch, step, figures, validation, learningRate, samplesPerSecond }, { model }) {
      const scalars: Record<string, number> = { 'epoch/samplesPerSecond': samplesPerSecond };
      for (const [name, value] of Object.entries(figures)) scalars[`epoch/${name}`] = value;
      for (const [name, value] of Object.entries(validation ?? {})) scalars[`epoch/validation.${name}`] = value;
      file!.write(scalarsRecord(now(), epoch, scalars));
      if (!every) file!.write(scalarsRecord(now(), step, { learningRate }));
      if (histograms && epoch % histograms === 0) {
        for (const [path, { data }] of await model.snapshot())
          file!.write(histogramRecord(now(), epoch, `parameters/${path}`, Float64Array.from(data as ArrayLike<number>, Number)));
      }
      await file!.flush();
    },
    onFitEnd: () => file?.close(),
  };
}
