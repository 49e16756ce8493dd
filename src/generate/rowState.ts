import * as ops from '../ops/index.js';
import type { Value } from '../graph/node.js';
import { type Stateful, type Tensor, tensor, type TensorBase, wrap, zeros } from '../tensor/index.js';
import type { Choices, Features } from './options.js';
import { penalise, repeatedNgrams, type Settings, without } from './sampler.js';

/**
 * What the steps of some texts keep on the device beside the caches: the tokens just chosen, which of the texts go on, and what
 * penalties need to know of the past. Only what the features want is there.
 */
export class RowState implements Stateful {
  /** int32 [rows]: the tokens chosen last, which the next step reads. */
  readonly current: Tensor;
  /** int32 [rows]: 1 for texts that go on, 0 for those that have met a stop token. */
  readonly active: Tensor;
  /** float32 [vocabulary]: 1 for stop tokens. */
  readonly stops: Tensor;
  /** int32 scalar */
  readonly pad: Tensor;
  readonly bias: Tensor | undefined;
  /** float32 [rows, vocabulary]: counts of the tokens before this call, and since. */
  readonly prompted: Tensor | undefined;
  readonly made: Tensor | undefined;
  /** int32 [rows, capacity]: all tokens. */
  readonly history: Tensor | undefined;

  constructor(
    readonly features: Features,
    readonly rows: number,
    readonly vocabulary: number,
    readonly capacity: number,
  ) {
    this.current = zeros([rows], 'int32') as Tensor;
    this.active = zeros([rows], 'int32') as Tensor;
    this.stops = zeros([vocabulary]) as Tensor;
    this.pad = zeros([], 'int32') as Tensor;
    if (features.bias) this.bias = zeros([vocabulary]) as Tensor;
    if (features.penalties) this.prompted = zeros([rows, vocabulary]) as Tensor;
    if (features.penalties) this.made = zeros([rows, vocabulary]) as Tensor;
    if (features.ngram) this.history = zeros([rows, capacity], 'int32') as Tensor;
  }

  #tensors(): [string, Tensor][] {
    const { current, active, stops, pad, bias, prompted, made, history } = this;
    const all = { current, active, stops, pad, bias, prompted, made, history };
    return Object.entries(all).filter((entry): entry is [string, Tensor] => entry[1] !== undefined);
  }

  visitState(visit: (path: string, tensor: TensorBase) => void): void {
    for (const [name, tensor] of this.#tensors()) visit(name, tensor);
  }

  stateKey(): string {
    return '';
  }

  /** Before the first step of a call: what the host knows of the texts. */
  begin(texts: readonly (readonly number[])[], { stopTokens, bias, padToken }: Choices): void {
    const { rows, vocabulary, capacity } = this;
    const stops = new Float32Array(vocabulary);
    for (const id of stopTokens) stops[id] = 1;
    this.stops.assign(tensor({ data: stops, shape: [vocabulary] }) as Tensor);
    this.pad.assign(tensor({ data: Int32Array.of(padToken), shape: [], dtype: 'int32' }) as never);
    if (this.bias) {
      const added = new Float32Array(vocabulary);
      for (const [id, x] of bias) added[id] = x;
      this.bias.assign(tensor({ data: added, shape: [vocabulary] }) as Tensor);
    }
    if (this.prompted && this.made) {
      const counts = new Float32Array(rows * vocabulary);
      texts.forEach((ids, row) => ids.forEach((id) => counts[row * vocabulary + id]!++));
      this.prompted.assign(tensor({ data: counts, shape: [rows, vocabulary] }) as Tensor);
      this.made.assign(zeros([rows, vocabulary]) as Tensor);
    }
    if (this.history) {
      const ids = new Int32Array(rows * capacity);
      texts.forEach((text, row) => ids.set(text, row * capacity));
      this.history.assign(tensor({ data: ids, shape: [rows, capacity], dtype: 'int32' }) as never);
    }
  }

  /** In a step: notes the tokens that it is fed with, which were generated, at their places int32 [rows]. */
  note(ids: Value, places: Value): void {
    const column = ops.reshape(ids, [this.rows, 1]);
    if (this.made) {
      const going = ops.reshape(ops.cast(this.active.value, 'float32'), [this.rows, 1]);
      const same = ops.equal(ops.iota([1, this.vocabulary], 1), column);
      this.made.assign(wrap(ops.add(this.made.value, ops.mul(ops.cast(same, 'float32'), going))));
    }
    if (this.history) {
      const here = ops.equal(ops.iota([1, this.capacity], 1), ops.reshape(places, [this.rows, 1]));
      this.history.assign(wrap(ops.where(here, column, this.history.value)));
    }
  }

  /** In a step: rows take over the past of others. */
  reorder(parents: Value): void {
    for (const tensor of [this.made, this.prompted, this.history]) tensor?.assign(wrap(ops.gather(tensor.value, parents, 0)));
  }

  /** Logits as penalties, bias and bans leave them. @param lengths int32 [rows]: how many tokens each text has */
  adjust(logits: Value, lengths: Value, settings: Settings): Value {
    let y = logits;
    if (this.prompted && this.made) y = penalise(y, this.prompted.value, this.made.value, settings);
    if (this.history) y = without(y, repeatedNgrams(this.history.value, lengths, this.features.ngram, this.vocabulary));
    if (this.bias) y = ops.add(y, ops.reshape(this.bias.value, [1, this.vocabulary]));
    const mustGoOn = ops.logicalAnd(ops.greater(this.stops.value, 0), ops.equal(settings.mayStop, 0));
    return without(y, ops.reshape(mustGoOn, [1, this.vocabulary]));
  }

  /** In a step: the tokens chosen, with padding where a text has ended; stop tokens end theirs. */
  choose(chosen: Value): Value {
    const going = ops.greater(this.active.value, 0);
    const ids = ops.where(going, chosen, this.pad.value);
    const ends = ops.greater(ops.gather(this.stops.value, chosen, 0), 0);
    this.current.assign(wrap(ids) as never);
    this.active.assign(wrap(ops.where(ends, 0, this.active.value)) as never);
    return ids;
  }

  dispose(): void {
    for (const [, tensor] of this.#tensors()) tensor.dispose();
  }
}
