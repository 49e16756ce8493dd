import { decompose } from './decompose.js';
import { fuseContractions } from './fuseContractions.js';
import { fuseElementwise } from './fuseElementwise.js';
import type { Graph } from './graph.js';
import { simplifyLoops } from './loops.js';
import { rewritePooling } from './pooling.js';
import { simplify } from './simplify.js';
import type { Target } from './target.js';

/** Everything that is done to a graph before it becomes steps: that of a plan, and those of its loops' bodies. */
export function* optimise(graph: Graph, target: Target, fuse: boolean, due: () => boolean): Generator<void, void> {
  yield* simplify(graph, due);
  yield* simplifyLoops(graph, due);
  if (fuse) yield* rewritePooling(graph, due);
  if (yield* decompose(graph, target, due)) {
    yield* simplify(graph, due);
    yield* simplifyLoops(graph, due);
  }
  if (fuse) yield* fuseContractions(graph, target, due);
  yield* fuseElementwise(graph, target, fuse, due);
}
