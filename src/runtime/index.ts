/** The only room that touches the native addon: devices, their memory, plans at run time, files of tensors. */
export { Device, DeviceBuffer, devices, type KernelSupport, type MemoryUse } from './device.js';
export { LoadedPlan, acknowledge, type RunFailure, type RunOptions, type RunResult } from './plan.js';
export { readSegments, writeSegments, type FileRange } from './files.js';
export { setThreads, threads } from './threads.js';
