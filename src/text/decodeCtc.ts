import { checkOptions, PolluxError } from '../errors.js';
import { type Tensor, TensorBase } from '../tensor/index.js';

/**
 * The labels of the most likely alignment (greedy decoding): at each step the likeliest class; runs of one class are one label, then
 * the blanks go. The likeliest labels may be others, as many alignments share theirs.
 *
 * @param scores float32 [batch, steps, classes]: logits or log-probabilities
 * @param options.lengths steps of each sample that count; default all
 * @returns one list of labels a sample
 */
export async function decodeCtc(scores: Tensor, options: { blank?: number; lengths?: ArrayLike<number> } = {}): Promise<number[][]> {
  checkOptions('decodeCtc', options, ['blank', 'lengths']);
  if (!(scores instanceof TensorBase) || scores.shape.length !== 3)
    throw new PolluxError('SHAPE_MISMATCH', 'decodeCtc: takes scores [batch, steps, classes].');
  const { blank = 0, lengths } = options;
  const [batch, steps] = scores.shape as readonly [number, number, number];
  if (lengths && lengths.length !== batch)
    throw new PolluxError('SHAPE_MISMATCH', `decodeCtc: ${lengths.length} lengths for ${batch} samples; give one a sample.`);
  const best = (await scores.argmax(-1).data()) as ArrayLike<number>;
  return Array.from({ length: batch }, (_, n) => {
    const count = Math.min(steps, lengths?.[n] ?? steps);
    const classes = Array.from({ length: count }, (_, t) => best[n * steps + t]!);
    return classes.filter((label, t) => label !== blank && label !== classes[t - 1]);
  });
}
