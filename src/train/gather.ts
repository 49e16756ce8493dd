import type { Collected } from '../metrics/index.js';
import type { Tensor, TypedArray } from '../tensor/index.js';

/** Predictions and targets of many batches, for metrics that are no means of batches. */
export class Gathered {
  readonly #parts = new Map<string, Float64Array[]>();
  #columns = 1;

  /** Takes what an evaluation step gathered, and frees it. */
  async add(batch: Readonly<Record<string, Tensor>>): Promise<void> {
    for (const [kind, tensor] of Object.entries(batch)) {
      const data = (await tensor.data()) as TypedArray;
      let parts = this.#parts.get(kind);
      if (!parts) this.#parts.set(kind, (parts = []));
      parts.push(Float64Array.from(data as ArrayLike<number>, Number));
      if (kind === 'probabilities') this.#columns = tensor.shape.length > 1 ? tensor.shape.at(-1)! : 0;
      tensor.dispose();
    }
  }

  measure(metrics: readonly Collected[]): Record<string, number> {
    if (!metrics.length) return {};
    const target = this.#joined('target');
    return Object.fromEntries(
      metrics.map(({ name, takes, compute }) => {
        const data = this.#joined(takes);
        const rows = takes === 'probabilities' && this.#columns > 0;
        return [name, compute(rows ? { data, shape: [target.length, this.#columns] } : data, target)];
      }),
    );
  }

  #joined(kind: string): Float64Array {
    const parts = this.#parts.get(kind) ?? [];
    if (parts.length === 1) return parts[0]!;
    const joined = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    this.#parts.set(kind, [joined]);
    return joined;
  }
}
