export { AudioFolder, audioFolder, type AudioFolderOptions } from './audioFolder.js';
export {
  type DecibelOptions,
  melSpectrogram,
  type MelSpectrogramOptions,
  mfcc,
  type MfccOptions,
  spectrogram,
  type SpectrogramOptions,
  toDecibels,
} from './features.js';
export { hertzToMel, melFilterbank, type MelOptions, type MelScale, melToHertz } from './mel.js';
export { resample, type ResampleOptions } from './resample.js';
export { frames, muLawDecode, muLawEncode, preEmphasis } from './signal.js';
export { specAugment, type SpecAugmentOptions } from './specAugment.js';
export { mono, readWav, type Sound, writeWav } from './wav.js';
