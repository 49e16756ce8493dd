import { setImmediate as macrotask } from 'node:timers/promises';
import { checkOptions, PolluxError } from '../../errors.js';
import { addedTokenJson } from './addedTokens.js';
import { Tokenizer } from './tokenizer.js';
import { countWords, type Texts } from './train.js';
import { type Pace, type Pieces, UnigramLearner } from './unigramLearner.js';

export interface TrainUnigramOptions {
  /** Tokens, special ones included. Default 8000. Texts with fewer substrings that occur twice give fewer. */
  vocabularySize?: number;
  /** First in the vocabulary; must hold `unknownToken`. Default ['<unk>', '<s>', '</s>']. */
  specialTokens?: readonly string[];
  /** Stands for characters that the texts did not hold. Default '<unk>'. */
  unknownToken?: string;
  /** Longest token, in characters. Default 16. */
  longestToken?: number;
  /** Candidates that the learning begins with. Default 1,000,000, the substrings that cover most text. */
  seedSize?: number;
  /** Share of the tokens that each pruning keeps. Default 0.75. */
  shrinkage?: number;
  /** Rounds of expectation and maximisation between two prunings. Default 2. */
  rounds?: number;
  /** Is told the likelihood of the texts, in nats, before each round. */
  onRound?: (event: { readonly tokens: number; readonly logLikelihood: number }) => void;
}

const names = ['vocabularySize', 'specialTokens', 'unknownToken', 'longestToken', 'seedSize', 'shrinkage', 'rounds', 'onRound'];

/** Lets the event loop run every few milliseconds. */
function pace(): Pace {
  let rested = performance.now();
  return async () => {
    if (performance.now() - rested < 5) return;
    await macrotask();
    rested = performance.now();
  };
}

/**
 * A unigram tokenizer learnt from texts (Kudo 2018), as SentencePiece trains it: frequent substrings are the candidates; expectation and
 * maximisation fit their probabilities; the tokens whose loss costs the likelihood least go, until the size is reached. All single
 * characters stay, so that every text of the same characters can be encoded. Spaces become '▁', also before the first word.
 *
 * Leaves the event loop free.
 * @throws INVALID_ARGUMENT if there is no text, if the special tokens lack the unknown one, or the characters alone exceed the size.
 */
export async function trainUnigram(texts: Texts, options: TrainUnigramOptions = {}): Promise<Tokenizer> {
  const where = 'trainUnigram';
  checkOptions(where, options, names);
  const { unknownToken = '<unk>', specialTokens = ['<unk>', '<s>', '</s>'], onRound, shrinkage = 0.75 } = options;
  const whole = (name: string, value: number, least: number): number => {
    if (Number.isInteger(value) && value >= least) return value;
    throw new RangeError(`${where}: ${name} must be a whole number of at least ${least}, got ${value}.`);
  };
  const vocabularySize = whole('vocabularySize', options.vocabularySize ?? 8000, 1);
  const longest = whole('longestToken', options.longestToken ?? 16, 1);
  const seedSize = whole('seedSize', options.seedSize ?? 1_000_000, 1);
  const rounds = whole('rounds', options.rounds ?? 2, 1);
  if (!(shrinkage > 0 && shrinkage < 1)) throw new RangeError(`${where}: shrinkage must lie in (0, 1), got ${shrinkage}.`);
  const unknown = specialTokens.indexOf(unknownToken);
  if (unknown < 0) throw new PolluxError('INVALID_ARGUMENT', `${where}: specialTokens must hold the unknown token ${unknownToken}.`);

  const preTokenizer = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
  const words = await countWords(where, texts, undefined, preTokenizer);
  const learner = new UnigramLearner(words, longest, pace());
  const wanted = vocabularySize - specialTokens.length;
  if (learner.characters.length > wanted)
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `${where}: ${learner.characters.length} characters and ${specialTokens.length} special tokens do not fit into a vocabulary of ${vocabularySize}.`,
    );
  let pieces: Pieces = await learner.seed(seedSize, specialTokens);
  // Somewhat more than wanted, so that the last choice is by probability.
  const enough = Math.ceil(wanted * 1.1);
  for (;;) {
    for (let round = 0; round < rounds; round++) {
      const { expected, logLikelihood } = await learner.expect(pieces);
      onRound?.({ tokens: pieces.size + specialTokens.length, logLikelihood });
      pieces = learner.maximise(pieces, expected);
    }
    if (pieces.size <= enough) break;
    pieces = await learner.prune(pieces, Math.max(enough, Math.floor(pieces.size * shrinkage)));
  }
  const chosen = learner.choose(pieces, wanted);
  return new Tokenizer({
    added_tokens: specialTokens.map((content, id) => addedTokenJson({ id, content, special: true })),
    pre_tokenizer: preTokenizer,
    decoder: preTokenizer,
    model: { type: 'Unigram', unk_id: unknown, vocab: [...specialTokens.map((token) => [token, 0]), ...chosen], byte_fallback: false },
  });
}
