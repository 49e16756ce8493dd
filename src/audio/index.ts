export { resample, type ResampleOptions } from './resample.js';
export { mono, readWav, type Sound, writeWav } from './wav.js';
