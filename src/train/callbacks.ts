export { earlyStopping, type EarlyStoppingOptions } from './earlyStopping.js';
export { csvLogger } from './loggers/csv.js';
export { jsonLinesLogger, type StepLogOptions } from './loggers/jsonLines.js';
export { tensorBoard, type TensorBoardOptions } from './loggers/tensorBoard.js';
export { progressiveUnfreezing } from './unfreezing.js';
