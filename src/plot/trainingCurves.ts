import { colors, element, label, picture, ticks } from './svg.js';

/** One point of a training curve: `at` counts epochs, fractions included. */
export interface CurvePoint {
  at: number;
  value: number;
}

/** The curves of a run. Validation is drawn with a dot for each point, training as a line. */
export interface TrainingCurves {
  title: string;
  loss: { training: readonly CurvePoint[]; validation: readonly CurvePoint[] };
  /** Shares in [0, 1]. */
  accuracy: { training: readonly CurvePoint[]; validation: readonly CurvePoint[] };
}

interface Panel {
  name: string;
  left: number;
  training: readonly CurvePoint[];
  validation: readonly CurvePoint[];
  low: number;
  high: number;
  format(value: number): string;
}

const width = 920;
const height = 380;
const top = 76;
const bottom = height - 52;
const panelWidth = 380;

/** Draws loss and accuracy against epochs, side by side, as an SVG. @throws RangeError if there is nothing to draw. */
export function plotTraining({ title, loss, accuracy }: TrainingCurves): string {
  const points = [loss.training, loss.validation, accuracy.training, accuracy.validation].flat();
  const end = Math.max(...points.map(({ at }) => at));
  if (!(end > 0) || points.some(({ at, value }) => !Number.isFinite(at) || !Number.isFinite(value))) {
    throw new RangeError('plotTraining: needs at least one finite point with an epoch above 0.');
  }
  const smooth = smoothed(loss.training);
  const losses = [...smooth, ...loss.validation].map(({ value }) => value);
  const shares = [...accuracy.training, ...accuracy.validation].map(({ value }) => value).sort((a, b) => a - b);
  const panels: Panel[] = [
    {
      name: 'Loss',
      left: 62,
      training: smooth,
      validation: loss.validation,
      low: 0,
      high: roundUp(Math.max(...losses, 1e-6)),
      format: String,
    },
    {
      name: 'Accuracy',
      left: 62 + panelWidth + 80,
      training: smoothed(accuracy.training),
      validation: accuracy.validation,
      // The first steps are near chance: they would press all that matters against the upper edge.
      low: lowerEdge(shares[Math.floor(shares.length / 10)] ?? 0),
      high: 1,
      format: percent,
    },
  ];
  return picture(
    width,
    height,
    title,
    label(title, 24, 34, { 'font-size': 17, 'font-weight': 600 }),
    legend(),
    ...panels.flatMap((panel) => draw(panel, end)),
  );
}

function legend(): string {
  const y = 30;
  return [
    element('line', { x1: width - 250, y1: y, x2: width - 226, y2: y, stroke: colors.blue, 'stroke-width': 2 }),
    label('training', width - 219, y + 4.5),
    element('line', { x1: width - 142, y1: y, x2: width - 118, y2: y, stroke: colors.orange, 'stroke-width': 2 }),
    element('circle', { cx: width - 130, cy: y, r: 3.5, fill: colors.orange }),
    label('validation', width - 111, y + 4.5),
  ].join('');
}

function draw({ name, left, training, validation, low, high, format }: Panel, end: number): string[] {
  const right = left + panelWidth;
  const x = (at: number): number => left + (at / end) * panelWidth;
  const y = (value: number): number => bottom - ((Math.min(high, Math.max(low, value)) - low) / (high - low)) * (bottom - top);
  const path = (points: readonly CurvePoint[], color: string): string =>
    points.length < 2
      ? ''
      : element('polyline', {
          points: points.map(({ at, value }) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' '),
          fill: 'none',
          stroke: color,
          'stroke-width': 2,
          'stroke-linejoin': 'round',
        });
  const dots = validation.map(({ at, value }) => element('circle', { cx: x(at), cy: y(value), r: 3.5, fill: colors.orange }));
  const last = validation.at(-1);
  return [
    label(name, left, top - 14, { 'font-weight': 600 }),
    ...ticks(low, high, 5).flatMap((tick) => [
      element('line', { x1: left, y1: y(tick), x2: right, y2: y(tick), stroke: tick === low ? colors.axis : colors.grid }),
      label(format(tick), left - 8, y(tick) + 4.5, { 'text-anchor': 'end', fill: colors.faint }),
    ]),
    ...ticks(0, end, Math.min(8, Math.max(1, Math.round(end)))).map((tick) =>
      label(String(tick), x(tick), bottom + 20, { 'text-anchor': 'middle', fill: colors.faint }),
    ),
    label('epoch', (left + right) / 2, bottom + 40, { 'text-anchor': 'middle', fill: colors.faint }),
    path(training, colors.blue),
    path(validation, colors.orange),
    ...dots,
    last
      ? label(
          name === 'Accuracy' ? `${(last.value * 100).toFixed(2)} %` : last.value.toPrecision(3),
          right,
          labelHeight(y(last.value), training, end, y),
          { 'text-anchor': 'end', fill: colors.orange, 'font-weight': 600 },
        )
      : '',
  ];
}

/** Above the last dot and the curve's end, or below both where there is no room. */
function labelHeight(dot: number, training: readonly CurvePoint[], end: number, y: (value: number) => number): number {
  const near = [dot, ...training.filter(({ at }) => at > end * 0.85).map(({ value }) => y(value))];
  const above = Math.min(...near) - 12;
  return above > top ? above : Math.max(...near) + 22;
}

/** Mean over a window of a fiftieth of the points: single batches scatter too much to read. */
function smoothed(points: readonly CurvePoint[]): CurvePoint[] {
  const window = Math.max(1, Math.floor(points.length / 50));
  return Array.from({ length: Math.ceil(points.length / window) }, (_, i) => {
    const slice = points.slice(i * window, (i + 1) * window);
    const mean = (pick: keyof CurvePoint): number => slice.reduce((sum, point) => sum + point[pick], 0) / slice.length;
    return { at: mean('at'), value: mean('value') };
  });
}

const percent = (share: number): string => `${Number((share * 100).toFixed(2))} %`;

function roundUp(high: number): number {
  const marks = ticks(0, high, 5);
  const step = marks[1] ?? high;
  return Math.ceil(high / step - 1e-9) * step;
}

/** The highest of a few round shares below `share`. */
const lowerEdge = (share: number): number => [0.99, 0.98, 0.95, 0.9, 0.8, 0.5].find((edge) => edge < share - (1 - share) * 0.2) ?? 0;
