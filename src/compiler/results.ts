import type { StepBuilder } from './buildSteps.js';
import { byteSize } from '../graph/dtype.js';
import { sizeOf } from '../graph/op.js';
import type { CommitPhase } from './commit.js';
import { isWhole } from './step.js';
import type { View } from './step.js';

/**
 * Gives each result its memory. A value that a step writes whole is written there at once; a leaf, a view, a state's new content
 * and a value returned twice are copied.
 *
 * @returns the sizes of the results
 */
export function writeResults(builder: StepBuilder, views: readonly View[], commits: CommitPhase): { bytes: number }[] {
  return views.map((view, index) => {
    const location = { kind: 'result', index, offset: 0 } as const;
    if (view.buffer.producer && view.buffer.location.kind === 'arena' && isWhole(view)) {
      view.buffer.location = location;
    } else {
      const copy = builder.copy(view, view.buffer.producer?.sources ?? []);
      copy.outputs[0]!.buffer.location = location;
      if (view.buffer.producer && commits.last.has(view.buffer.producer)) commits.last.add(copy);
    }
    return { bytes: sizeOf(view.shape) * byteSize(view.dtype) };
  });
}
