import { checkOptions, PolluxError } from '../errors.js';
import { ioFailed } from '../io/atomic.js';
import { checkWhole } from './checks.js';
import { filesByClass } from './classFolders.js';
import { allocateBatch, type Batch, Dataset, type Field, type GetOptions, type Indices } from './dataset.js';
import { optional } from './packages.js';

export interface DecodeOptions {
  /** [height, width] that images are scaled to. */
  size: readonly [height: number, width: number];
  /** 3 (default): red, green, blue; 1: grey. */
  channels?: 1 | 3;
  /** 'cover' (default) fills the size and cuts what is over; 'contain' shows all, on black; 'fill' distorts. */
  fit?: 'cover' | 'contain' | 'fill';
}

/** Throws unless it is [height, width]. */
function requireImageSize(where: string, size: readonly number[] | undefined): readonly [number, number] {
  if (!Array.isArray(size) || size.length !== 2) throw new TypeError(`${where}: needs { size: [height, width] }.`);
  size.forEach((length: number, i) => checkWhole(where, i ? 'width' : 'height', length, 1));
  return size as unknown as readonly [number, number];
}

const extensions = /\.(png|jpe?g|webp|gif|avif|tiff?|svg|bmp)$/i;

/**
 * Decodes an image (PNG, JPEG, WebP, GIF, AVIF, TIFF, SVG) into bytes [height, width, channels], turned as its EXIF data says,
 * through the package sharp (optional: `npm install sharp`). Runs off the main thread.
 * @throws FILE_CORRUPT naming the file for one that is no image; IO_FAILED; UNSUPPORTED if sharp is missing.
 */
export async function decodeImage(source: string | Uint8Array, options: DecodeOptions): Promise<Uint8Array> {
  checkOptions('decodeImage', options, ['size', 'channels', 'fit']);
  const { channels = 3, fit = 'cover' } = options ?? {};
  const [height, width] = requireImageSize('decodeImage', options?.size);
  const { default: sharp } = await optional('decodeImage', 'sharp', () => import('sharp'));
  const name = typeof source === 'string' ? source : 'the image';
  try {
    const image = sharp(source, { failOn: 'error' })
      .rotate()
      .resize({ width, height, fit, background: '#000' })
      .flatten({ background: '#000' });
    const { data, info } = await image
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.channels === channels) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    // A grey file asked for in colour, or the like: the first channel stands for the others.
    return Uint8Array.from(
      { length: height * width * channels },
      (_, i) => data[Math.floor(i / channels) * info.channels + Math.min(i % channels, info.channels - 1)]!,
    );
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith('E') || /missing|No such file/.test(message)) throw ioFailed('read', name, error);
    throw new PolluxError('FILE_CORRUPT', `${name}: is no image that can be decoded: ${message}.`, { cause: error });
  }
}

export interface ImageFolderOptions extends DecodeOptions {
  /** Per channel, in units of 1: subtracted, then divided by. Default: values in [0, 1]. */
  mean?: readonly number[];
  std?: readonly number[];
}

type ImageSchema = { readonly x: Field<readonly [number, number, number], 'float32'>; readonly y: Field<readonly [], 'int32'> };

/** Images of a folder; `classes` are the names by number, `files` the paths by sample. */
export class ImageFolder extends Dataset<ImageSchema> {
  readonly length: number;
  readonly schema: ImageSchema;
  readonly #options: ImageFolderOptions;

  /** @internal Use imageFolder. */
  constructor(
    readonly files: readonly string[],
    readonly labels: Int32Array,
    readonly classes: readonly string[],
    options: ImageFolderOptions,
  ) {
    super();
    this.length = files.length;
    this.#options = options;
    this.schema = {
      x: { shape: [options.size[0], options.size[1], options.channels ?? 3], dtype: 'float32' },
      y: { shape: [], dtype: 'int32' },
    };
  }

  override async get(indices: Indices, options: GetOptions<ImageSchema> = {}): Promise<Batch<ImageSchema>> {
    const out = options.out ?? allocateBatch(this.schema, indices.length);
    const { mean = [0], std = [1], size, channels = 3, fit } = this.#options;
    const pixels = size[0] * size[1] * channels;
    await Promise.all(
      Array.from(indices, async (index, i) => {
        const bytes = await decodeImage(this.files[this.checkIndex(index)]!, { size, channels, ...(fit && { fit }) });
        const { data } = out.x;
        for (let j = 0; j < pixels; j++) {
          const c = j % channels;
          data[i * pixels + j] = (bytes[j]! / 255 - mean[c % mean.length]!) / std[c % std.length]!;
        }
        out.y.data[i] = this.labels[index]!;
      }),
    );
    return out;
  }
}

/**
 * A folder with one folder of images for each class, whose names sorted are the classes: x float32 [height, width, channels], y the
 * class. Images are decoded when they are read, several at once; wrap it in `cached` if all of them fit into memory.
 * @throws IO_FAILED for a folder that cannot be listed; INVALID_ARGUMENT for one without classes or images.
 */
export async function imageFolder(folder: string, options: ImageFolderOptions): Promise<ImageFolder> {
  checkOptions('imageFolder', options, ['size', 'channels', 'fit', 'mean', 'std']);
  requireImageSize('imageFolder', options?.size);
  const { files, labels, classes } = await filesByClass('imageFolder', folder, extensions, 'images', 'cat/1.png');
  return new ImageFolder(files, labels, classes, options);
}
