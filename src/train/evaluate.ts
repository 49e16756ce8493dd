import { AbortError } from '../errors.js';
import type { Figures } from './events.js';
import { Gathered } from './gather.js';
import { FigureSums } from './metrics.js';
import { addFigures, type Programs } from './programs.js';
import type { Source } from './source.js';

/** Loss and metrics over one pass of a source, in inference mode. */
export async function evaluateOn(programs: Programs, source: Source, signal: AbortSignal | undefined): Promise<Figures> {
  const sums = new FigureSums();
  const gathered = new Gathered();
  try {
    for await (const batch of source.epoch()) {
      if (signal?.aborted) throw new AbortError('The evaluation was aborted.', signal.reason);
      const found = await programs.evaluate(programs.arguments(batch), signal ? { signal } : {});
      addFigures(sums, found);
      await gathered.add(found.gathered);
    }
  } finally {
    await source.close();
  }
  return { ...sums.means(), ...gathered.measure(programs.collected) };
}
