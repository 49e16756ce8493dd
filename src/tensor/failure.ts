import type { CompiledPlan } from '../compiler/index.js';
import type { Node } from '../graph/node.js';
import { PolluxError } from '../errors.js';
import type { RunResult } from '../runtime/index.js';

type Failure = NonNullable<RunResult['failure']>;

/** Codes of PolluxStatus in native/backend.h. */
const NOT_FINITE = 1;
const LABEL_OUT_OF_RANGE = 2;
const INDEX_OUT_OF_RANGE = 3;
const CAPACITY_EXCEEDED = 5;

/** Where in a shape a row-major element number lies: `[3, 5]`. */
export function place(element: number, shape: readonly number[]): string {
  const at: number[] = [];
  let rest = element;
  for (const size of [...shape].reverse()) {
    at.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${at.join(', ')}]`;
}

/** What to say of a token that an embedding does not know. */
function vocabularyMessage({ inputs: [weight, ids], scope }: Node, { detail, element }: Failure): string {
  const count = weight!.shape[0]!;
  return (
    `Embedding${scope ? ` '${scope}'` : ''}: the token ${detail} at position ${place(Number(element), ids!.shape)} lies outside the ` +
    `vocabulary of ${count}; ids go from 0 to ${count - 1}`
  );
}

export const isNotFinite = (failure: Failure): boolean => failure.code === NOT_FINITE;

/** The error for what a step reported in the status word. */
export function statusError(failure: Failure, plan: CompiledPlan, calledFrom?: string): PolluxError {
  const step = plan.steps[failure.step];
  const where = step ? ` (step ${failure.step}: ${step.label})` : '';
  const from = calledFrom ? `\nBuilt at ${calledFrom}` : '';
  switch (failure.code) {
    case LABEL_OUT_OF_RANGE:
      return new PolluxError(
        'LABEL_OUT_OF_RANGE',
        `${step?.sources.some(({ op }) => op.name.startsWith('ctc')) ? 'ctc' : 'crossEntropy'}: label ${failure.detail} of row ${failure.element} lies outside the classes${where}. Nothing was changed. ` +
          `Labels are integers from 0 to classes - 1; check the data or the width of the last layer.${from}`,
      );
    case INDEX_OUT_OF_RANGE: {
      const lookup = step?.sources.find(({ op }) => op.name === 'embedding');
      if (lookup)
        return new PolluxError('INDEX_OUT_OF_RANGE', `${vocabularyMessage(lookup, failure)}${where}. Nothing was changed.${from}`);
      return new PolluxError(
        'INDEX_OUT_OF_RANGE',
        `Index ${failure.detail} (element ${failure.element} of the indices) lies outside its axis${where}. Nothing was changed.${from}`,
      );
    }
    case CAPACITY_EXCEEDED:
      return new PolluxError(
        'CAPACITY_EXCEEDED',
        `cacheUpdate: sample ${failure.element} of the cache holds ${failure.detail} rows, and no room for what comes${where}. ` +
          `Nothing was changed. Make the cache larger, or reset it.${from}`,
      );
    case NOT_FINITE:
      return new PolluxError(
        'NOT_FINITE',
        `A value that must be finite is NaN or infinite at element ${failure.element}${where}. Nothing was changed.${from}`,
      );
    default:
      return new PolluxError('INTERNAL', `The plan reported the unknown status ${failure.code}${where}.`);
  }
}
