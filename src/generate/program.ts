import { compile, type Compiled, currentTrace, type Stateful, type Tensor, type TensorBase, wrap } from '../tensor/index.js';
import type { Value } from '../graph/node.js';
import * as ops from '../ops/index.js';
import type { Decoding, LanguageModel, Source } from './decoding.js';
import type { Features } from './options.js';
import { RowState } from './rowState.js';
import { drawFrom, logProbabilityOf, type Settings, settingsIn, shortlist } from './sampler.js';

/** What a step gives: ids int32 [rows], and the logarithms of their probabilities if wanted. */
export interface Chosen {
  readonly ids: Tensor;
  readonly logProbabilities?: Tensor;
}

/** The tensors of some owners as they are now: a step asks for them at each token, and finds a list instead of walking the model. */
export function frozen(owners: readonly Stateful[]): Stateful & { readonly tensors: readonly TensorBase[] } {
  const found: [string, TensorBase][] = [];
  for (const owner of owners) owner.visitState((path, tensor) => found.push([path, tensor]));
  return {
    tensors: found.map(([, tensor]) => tensor),
    visitState: (visit) => found.forEach(([path, tensor]) => void visit(path, tensor)),
    stateKey: () => '',
  };
}

/** Lets a step fail with NOT_FINITE where a text that goes on has NaN or Infinity, or no token is left. */
export function requireFinite(logits: Value, active: Value): void {
  currentTrace()?.checks.push(ops.where(ops.greater(active, 0), ops.max(logits, -1), 0));
}

/**
 * The steps of one set of features: `prompt` reads what is new and chooses a token, `next` feeds the tokens chosen last, which lie on
 * the device, and chooses more. Their settings (float32, see `settingNames`) and the state of the random numbers (int64 [3]) are data.
 */
export class Program {
  readonly state: RowState;
  readonly prompt: Compiled<[ids: Tensor, lengths: Tensor, settings: Tensor, random: Tensor, source: Source[]], Chosen>;
  readonly next: Compiled<[settings: Tensor, random: Tensor], Chosen>;

  constructor(
    readonly model: LanguageModel,
    readonly decoding: Decoding,
    readonly features: Features,
    rows: number,
    capacity: number,
    device: string | undefined,
  ) {
    const state = new RowState(features, rows, model.vocabularySize, capacity);
    this.state = state;
    const options = { state: frozen([model, ...decoding.caches, ...decoding.memory, state]), ...(device && { device }) };
    const position = (): Value => decoding.caches[0]!.position.value;
    this.prompt = compile(options, (ids: Tensor, lengths: Tensor, settings: Tensor, random: Tensor, source: Source[]) => {
      const texts = ops.add(position(), lengths.value);
      state.active.assign(wrap(ops.onesLike(state.active.value)) as never);
      const logits = model.inMode(false, () => decoding.next(ids, lengths, source[0]));
      return this.#choose(logits.value, texts, settingsIn(settings.value), random.value);
    });
    this.next = compile(options, (settings: Tensor, random: Tensor) => {
      const ids = state.current.value;
      const places = position();
      state.note(ids, places);
      const column = wrap(ops.reshape(ids, [rows, 1]));
      const logits = model.inMode(false, () => decoding.next(column, state.active));
      return this.#choose(logits.value, ops.add(places, 1), settingsIn(settings.value), random.value);
    });
  }

  #choose(logits: Value, lengths: Value, settings: Settings, random: Value): Chosen {
    const { state, features } = this;
    requireFinite(logits, state.active.value);
    const adjusted = state.adjust(logits, lengths, settings);
    requireFinite(adjusted, state.active.value);
    const ids = state.choose(features.draw ? this.#draw(adjusted, settings, random) : ops.argmax(adjusted, -1));
    return { ids: wrap(ids), ...(features.logProbabilities && { logProbabilities: wrap(logProbabilityOf(logits, ids)) }) };
  }

  #draw(logits: Value, settings: Settings, random: Value): Value {
    const list = shortlist(logits, settings, this.features.candidates);
    return drawFrom(list, ops.uniform(random, list.logits.shape, 0), settings);
  }

  get plans(): number {
    return this.prompt.plans + this.next.plans;
  }

  dispose(): void {
    this.prompt.dispose();
    this.next.dispose();
    this.state.dispose();
  }
}
