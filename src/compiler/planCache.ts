/** Plans by fingerprint; the one that was used longest ago goes first. */
export class PlanCache<T> {
  private readonly entries = new Map<string, T>();

  /**
   * @param capacity how many plans are kept
   * @param discard called with a plan that is dropped
   */
  constructor(
    readonly capacity: number,
    private readonly discard: (plan: T) => void = () => {},
  ) {
    if (!Number.isInteger(capacity) || capacity < 1)
      throw new RangeError(`PlanCache: capacity ${capacity} must be an integer of at least 1`);
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: string): T | undefined {
    const plan = this.entries.get(key);
    if (plan === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, plan);
    return plan;
  }

  set(key: string, plan: T): void {
    const before = this.entries.get(key);
    this.entries.delete(key);
    this.entries.set(key, plan);
    if (before !== undefined && before !== plan) this.discard(before);
    if (this.entries.size <= this.capacity) return;
    const [oldest, dropped] = this.entries.entries().next().value!;
    this.entries.delete(oldest);
    this.discard(dropped);
  }

  /** Forgets a plan without discarding it, e.g. one whose compilation failed. */
  delete(key: string): void {
    this.entries.delete(key);
  }

  clear(): void {
    const plans = [...this.entries.values()];
    this.entries.clear();
    for (const plan of plans) this.discard(plan);
  }
}
