import { colors, element, label, picture, ticks } from './svg.js';

export interface Axis {
  name: string;
  /** Powers of ten instead of equal steps; its values must be above 0. */
  logarithmic?: boolean;
}

export interface Line {
  name: string;
  points: readonly { x: number; y: number }[];
}

/** Lines over one pair of axes. */
export interface LinePlot {
  title: string;
  x: Axis;
  y: Axis;
  lines: readonly Line[];
  /** Vertical lines with a name. */
  marks?: readonly { x: number; name: string }[];
}

const [width, height, left, right, top, bottom] = [720, 400, 72, 696, 64, 344];
const lineColors = [colors.blue, colors.orange, colors.red, colors.faint];

/** A range of numbers on a range of pixels. */
class Scale {
  readonly low: number;
  readonly high: number;
  readonly #logarithmic: boolean;

  constructor(
    { logarithmic = false }: Axis,
    values: readonly number[],
    readonly from: number,
    readonly to: number,
  ) {
    this.#logarithmic = logarithmic;
    const found = values.map((value) => this.#place(value));
    const low = Math.min(...found);
    const high = Math.max(...found);
    // One value alone gets room on both sides.
    const room = high > low ? 0 : Math.abs(low) || 1;
    this.low = low - room;
    this.high = high + room;
  }

  #place(value: number): number {
    return this.#logarithmic ? Math.log10(value) : value;
  }

  at(value: number): number {
    return this.from + ((this.#place(value) - this.low) / (this.high - this.low)) * (this.to - this.from);
  }

  ticks(count: number): { at: number; text: string }[] {
    const marks = ticks(this.low, this.high, count).filter((mark) => !this.#logarithmic || Number.isInteger(mark));
    return marks.map((mark) =>
      this.#logarithmic ? { at: this.at(10 ** mark), text: `1e${mark}` } : { at: this.at(mark), text: String(mark) },
    );
  }
}

/** Draws lines as an SVG; points that are no finite numbers are left out. @throws RangeError if there is nothing to draw. */
export function plotLines({ title, x, y, lines, marks = [] }: LinePlot): string {
  const drawable = (value: number, axis: Axis): boolean => Number.isFinite(value) && !(axis.logarithmic && value <= 0);
  const drawn = lines.map(({ name, points }) => ({ name, points: points.filter((p) => drawable(p.x, x) && drawable(p.y, y)) }));
  const all = drawn.flatMap(({ points }) => points);
  if (!all.length) throw new RangeError('plotLines: needs at least one finite point.');
  const across = new Scale(
    x,
    all.map((point) => point.x),
    left,
    right,
  );
  const up = new Scale(
    y,
    all.map((point) => point.y),
    bottom,
    top,
  );
  return picture(
    width,
    height,
    title,
    label(title, 24, 34, { 'font-size': 17, 'font-weight': 600 }),
    ...up
      .ticks(6)
      .flatMap(({ at, text }) => [
        element('line', { x1: left, y1: at, x2: right, y2: at, stroke: colors.grid }),
        label(text, left - 8, at + 4.5, { 'text-anchor': 'end', fill: colors.faint }),
      ]),
    element('line', { x1: left, y1: bottom, x2: right, y2: bottom, stroke: colors.axis }),
    ...across.ticks(8).map(({ at, text }) => label(text, at, bottom + 20, { 'text-anchor': 'middle', fill: colors.faint })),
    label(x.name, (left + right) / 2, bottom + 42, { 'text-anchor': 'middle', fill: colors.faint }),
    label(y.name, left, top - 12, { fill: colors.faint }),
    ...drawn.map(({ points }, i) => path(points, across, up, lineColors[i % lineColors.length]!)),
    ...(drawn.length > 1 ? drawn.map(({ name }, i) => legend(name, i)) : []),
    ...marks.flatMap(({ x: value, name }) => mark(across.at(value), name)),
  );
}

const path = (points: Line['points'], across: Scale, up: Scale, stroke: string): string =>
  element('polyline', {
    points: points.map((point) => `${across.at(point.x).toFixed(1)},${up.at(point.y).toFixed(1)}`).join(' '),
    fill: 'none',
    stroke,
    'stroke-width': 2,
    'stroke-linejoin': 'round',
  });

const legend = (name: string, i: number): string => {
  const at = left + 160 + 130 * i;
  return [
    element('line', { x1: at, y1: top - 16, x2: at + 24, y2: top - 16, stroke: lineColors[i % lineColors.length]!, 'stroke-width': 2 }),
    label(name, at + 30, top - 12),
  ].join('');
};

const mark = (at: number, name: string): string[] => [
  element('line', { x1: at, y1: top, x2: at, y2: bottom, stroke: colors.orange, 'stroke-dasharray': '4 4' }),
  label(name, at + 6, top + 14, { fill: colors.orange }),
];
