/** The plan wire: what the compiler hands to the runtime, as one versioned buffer. */
export type {
  LoopDescription,
  MoveDescription,
  PlanDescription,
  ProgramDescription,
  Queue,
  StepDescription,
  TensorDescription,
  TensorLocation,
} from './description.js';
export { encodeInSlices, encodePlan } from './encode.js';
