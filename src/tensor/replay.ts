import { PolluxError } from '../errors.js';
import { isFloat } from '../graph/dtype.js';
import { show } from '../graph/op.js';
import type { DeviceBuffer, RunResult } from '../runtime/index.js';
import type { Argument } from './arguments.js';
import { planFor, type ReadyPlan } from './evaluate.js';
import { isNotFinite, place, statusError } from './failure.js';
import { getElement, typedArray } from './host.js';
import type { TracedStep } from './tracing.js';

type Failure = NonNullable<RunResult['failure']>;

/** First frame of a stack that lies outside of Pollux: the caller's line. */
export function callerLine(stack: string | undefined): string | undefined {
  const inside = /[\\/](?:pollux[\\/](?:dist|src)|src[\\/](?:tensor|ops|graph|nn|optim|losses|train|compiler|runtime))[\\/]/;
  return stack
    ?.split('\n')
    .slice(1)
    .find((line) => !inside.test(line) && !line.includes('node:'))
    ?.trim()
    .replace(/^at /, '');
}

/**
 * The error for a failed run. A value that is not finite is traced to its origin: the same inputs are run once more,
 * record by record, and the first op that makes a NaN or an infinity is named. Nothing was committed, so the state is the same.
 */
export async function explainFailure(
  step: TracedStep,
  ready: ReadyPlan,
  failure: Failure,
  bindings: readonly (DeviceBuffer | ArrayBufferView)[],
  list: readonly Argument[],
  debug: boolean,
): Promise<PolluxError> {
  if (!isNotFinite(failure))
    return statusError(failure, ready.compiled, callerLine(ready.compiled.steps[failure.step]?.sources.at(-1)?.stack));
  const inputs = bindings.map((binding, i) => (failure.inputs[i] ? new Uint8Array(failure.inputs[i]) : binding));
  const bad = await badInput(step, inputs, list);
  if (bad) return bad;
  if (debug) return blame(ready, failure);
  try {
    const { device } = ready.loaded;
    const plain = await planFor({ ...step.request, options: { ...step.request.options, fuse: false } }, device);
    const again = await plain.loaded.run(inputs, { debug: true });
    return again.failure ? blame(plain, again.failure) : statusError(failure, ready.compiled);
  } catch (error) {
    return error instanceof PolluxError && error.code === 'OUT_OF_MEMORY' ? statusError(failure, ready.compiled) : Promise.reject(error);
  }
}

/** Names the op behind the first non-finite value of a debug run. */
function blame(ready: ReadyPlan, failure: Failure): PolluxError {
  const step = ready.compiled.steps[failure.step];
  if (!step) return statusError(failure, ready.compiled);
  const node = step.sources.at(-1);
  const output = node?.outputs[failure.operand ?? 0] ?? node?.outputs[0];
  const op = node?.op.name ?? step.kernel;
  const where = node?.scope ? ` in ${node.scope}` : '';
  const line = callerLine(node?.stack);
  return new PolluxError(
    'NOT_FINITE',
    `${op}${where} (step ${failure.step}: ${step.label}) made the first NaN or infinity` +
      `${output ? `, at element ${place(failure.element, output.shape)} of ${show(output)}` : ''}. Nothing was changed: parameters and optimizer are as before the step. ` +
      `Lower the learning rate, clip gradients, or look at the data of this batch.${line ? `\nBuilt at ${line}` : ''}`,
  );
}

/** A NaN or infinity that came in with the data. */
async function badInput(
  step: TracedStep,
  inputs: readonly (DeviceBuffer | ArrayBufferView)[],
  list: readonly Argument[],
): Promise<PolluxError | undefined> {
  for (const [i, source] of step.sources.entries()) {
    if (source.from !== 'argument') continue;
    const { path, dtype, shape } = list[source.index]!;
    if (!isFloat(dtype)) continue;
    const input = inputs[i]!;
    const array = ArrayBuffer.isView(input) ? typedArray(dtype, input.buffer, input.byteOffset) : typedArray(dtype, await input.read());
    for (let e = 0; e < array.length; e++) {
      const x = getElement(array, dtype, e);
      if (!Number.isFinite(x)) {
        return new PolluxError(
          'NOT_FINITE',
          `${path} holds ${x} at element ${place(e, shape)} of ${dtype}[${shape.join(', ')}]. Nothing was changed. Clean the data of this batch.`,
        );
      }
    }
  }
  return undefined;
}
