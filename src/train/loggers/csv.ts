import type { Callback } from '../callback.js';
import type { EpochEvent } from '../events.js';
import { LineFile } from './lineFile.js';

/** Figures of an epoch by column, those of validation with their prefix. */
export function columnsOf({
  epoch,
  step,
  learningRate,
  seconds,
  samplesPerSecond,
  figures,
  validation,
}: EpochEvent): Record<string, number> {
  const held = Object.entries(validation ?? {}).map(([name, value]) => [`validation.${name}`, value] as const);
  return { epoch, step, learningRate, seconds, samplesPerSecond, ...figures, ...Object.fromEntries(held) };
}

/** A cell by RFC 4180: quoted where it holds a comma, a quote or a line break. */
const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Cells of a line that `cell` wrote. */
const cellsOf = (line: string): string[] =>
  [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain!);

/**
 * Writes a row for each epoch to a CSV file: epoch, step, learningRate, seconds, samplesPerSecond, then the figures. The columns are those
 * of the first epoch. A new run begins the file anew, a resumed one goes on.
 */
export function csvLogger(path: string): Callback {
  const file = new LineFile(path);
  let columns: readonly string[] | undefined;
  return {
    async onFitStart({ step, history }) {
      const epochs = history.epochs.length;
      await file.open(step > 0 ? (line, place) => place === 0 || Number(cellsOf(line)[0]) <= epochs : undefined);
      columns = file.kept[0] === undefined ? undefined : cellsOf(file.kept[0]);
    },
    async onEpochEnd(event) {
      const row = columnsOf(event);
      if (!columns) {
        columns = Object.keys(row);
        file.write(columns.map(cell).join(','));
      }
      file.write(columns.map((name) => String(row[name] ?? '')).join(','));
      await file.flush();
    },
    onFitEnd: () => file.close(),
  };
}
