import { encodeGreyPng } from './png.js';
import { colors, element, label, picture } from './svg.js';

/** One image with what the model made of it. */
export interface SheetImage {
  /** Brightness in [0, 1], row by row. */
  pixels: ArrayLike<number>;
  predicted: string | number;
  truth: string | number;
}

export interface SheetOptions {
  title: string;
  /** Width and height of an image in pixels. */
  size: readonly [width: number, height: number];
  /** Images in a row. Default 10. */
  columns?: number;
}

const cell = 84;
const shown = 64;
const margin = 24;
const head = 64;

/** Draws a sheet of images as an SVG: below each what was predicted; mistakes are red and name the truth. */
export function drawSheet(images: readonly SheetImage[], { title, size, columns = 10 }: SheetOptions): string {
  const [width, height] = size;
  const cells = images.map((image, i) => {
    const wrong = image.predicted !== image.truth;
    const x = margin + (i % columns) * cell + (cell - shown) / 2;
    const y = head + Math.floor(i / columns) * (cell + 14);
    return element(
      'g',
      {},
      element('image', {
        x,
        y,
        width: shown,
        height: shown,
        href: dataAddress(image.pixels, width, height),
        'image-rendering': 'pixelated',
      }),
      element('rect', {
        x,
        y,
        width: shown,
        height: shown,
        fill: 'none',
        stroke: wrong ? colors.red : colors.grid,
        'stroke-width': wrong ? 2.5 : 1,
      }),
      label(wrong ? `${image.predicted}, not ${image.truth}` : String(image.predicted), x + shown / 2, y + shown + 17, {
        'text-anchor': 'middle',
        fill: wrong ? colors.red : colors.text,
        'font-weight': wrong ? 600 : 400,
      }),
    );
  });
  const rows = Math.ceil(images.length / columns);
  return picture(
    2 * margin + Math.min(columns, Math.max(4, images.length)) * cell,
    head + rows * (cell + 14) + margin / 2,
    title,
    label(title, margin + (cell - shown) / 2, 36, { 'font-size': 17, 'font-weight': 600 }),
    ...cells,
  );
}

/** The image as an embedded PNG, dark ink on white as on paper. */
function dataAddress(pixels: ArrayLike<number>, width: number, height: number): string {
  if (pixels.length !== width * height) throw new RangeError(`drawSheet: ${pixels.length} pixels for an image of ${width} x ${height}.`);
  const ink = Uint8Array.from(pixels, (brightness) => 255 - Math.round(255 * Math.min(1, Math.max(0, brightness))));
  return `data:image/png;base64,${encodeGreyPng(ink, width, height).toString('base64')}`;
}
