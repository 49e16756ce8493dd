export { latestCheckpoint, loadCheckpoint, saveCheckpoint } from './checkpoint.js';
export type { CheckpointContent, Json, RunState, SkippedCheckpoint } from './checkpoint.js';
export { SafetensorsFile, readSafetensors, writeSafetensors } from './safetensors.js';
export type { SafetensorsContent, TensorMap, WriteOptions } from './safetensors.js';
