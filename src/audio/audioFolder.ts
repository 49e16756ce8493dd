import { checkWhole } from '../data/checks.js';
import { allocateBatch, type Batch, Dataset, type Field, type GetOptions, type Indices } from '../data/dataset.js';
import { filesByClass } from '../data/classFolders.js';
import { checkOptions } from '../errors.js';
import { resample } from './resample.js';
import { mono, readWav } from './wav.js';

export interface AudioFolderOptions {
  /** Samples a second that sounds are brought to. */
  sampleRate: number;
  /** Samples of each sound: longer ones are cut at their end, shorter ones are followed by silence. */
  length: number;
}

type AudioSchema = { readonly x: Field<readonly [number], 'float32'>; readonly y: Field<readonly [], 'int32'> };

/** Sounds of a folder; `classes` are the names by number, `files` the paths by sample. */
export class AudioFolder extends Dataset<AudioSchema> {
  readonly length: number;
  readonly schema: AudioSchema;
  readonly #options: AudioFolderOptions;

  /** @internal Use audioFolder. */
  constructor(
    readonly files: readonly string[],
    readonly labels: Int32Array,
    readonly classes: readonly string[],
    options: AudioFolderOptions,
  ) {
    super();
    this.length = files.length;
    this.#options = options;
    this.schema = { x: { shape: [options.length], dtype: 'float32' }, y: { shape: [], dtype: 'int32' } };
  }

  override async get(indices: Indices, options: GetOptions<AudioSchema> = {}): Promise<Batch<AudioSchema>> {
    const out = options.out ?? allocateBatch(this.schema, indices.length);
    const { sampleRate, length } = this.#options;
    await Promise.all(
      Array.from(indices, async (index, i) => {
        const sound = mono(await readWav(this.files[this.checkIndex(index)]!));
        const samples = sound.sampleRate === sampleRate ? sound.samples : await resample(sound.samples, sound.sampleRate, sampleRate);
        const place = out.x.data.subarray(i * length, (i + 1) * length);
        place.fill(0);
        place.set(samples.subarray(0, length));
        out.y.data[i] = this.labels[index]!;
      }),
    );
    return out;
  }
}

/**
 * A folder with one folder of WAV files for each class, whose names sorted are the classes: x float32 [length], the mean of the channels
 * at `sampleRate`, and y the class. Files are decoded when they are read, several at once; wrap it in `cached` if all fit into memory.
 * @throws IO_FAILED for a folder that cannot be listed; INVALID_ARGUMENT for one without classes or sounds.
 */
export async function audioFolder(folder: string, options: AudioFolderOptions): Promise<AudioFolder> {
  checkOptions('audioFolder', options, ['sampleRate', 'length']);
  checkWhole('audioFolder', 'sampleRate', options.sampleRate, 1);
  checkWhole('audioFolder', 'length', options.length, 1);
  const { files, labels, classes } = await filesByClass('audioFolder', folder, /\.wav$/i, 'sounds', 'dog/1.wav');
  return new AudioFolder(files, labels, classes, options);
}
