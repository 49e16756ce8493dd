export { type Axis, type Line, type LinePlot, plotLines } from './lines.js';
export { drawSheet, type SheetImage, type SheetOptions } from './sheet.js';
export { type CurvePoint, plotTraining, type TrainingCurves } from './trainingCurves.js';
