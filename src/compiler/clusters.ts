import type { Operation } from './graph.js';

/**
 * A partition of the operations whose quotient graph stays acyclic. Each group has a rank, and ranks are a topological order of
 * the groups at all times (the dynamic order of Pearce and Kelly, 2006), so that only groups between two that are to be merged
 * can lie on a path from one to the other.
 */
export class Clusters {
  /** Group of each operation, by position; the group's members, by group. */
  private readonly group: Int32Array;
  private readonly members: Operation[][];
  private readonly rank: Int32Array;
  /** The group at each rank; -1 where a merge has left a gap. */
  private readonly at: Int32Array;
  private readonly stamp: Int32Array;
  private generation = 0;

  constructor(
    operations: readonly Operation[],
    private readonly sink: Operation,
  ) {
    const count = operations.length;
    this.members = operations.map((operation) => [operation]);
    this.group = Int32Array.from({ length: count }, (_, i) => i);
    this.rank = Int32Array.from(this.group);
    this.at = Int32Array.from(this.group);
    this.stamp = new Int32Array(count);
  }

  /** Merges the groups of a value's producer and of its user, if `accept` likes the union and no cycle arises. */
  merge(producer: Operation, user: Operation, accept: (members: readonly Operation[]) => boolean): boolean {
    const a = this.group[producer.position]!;
    const b = this.group[user.position]!;
    if (a === b) return true;
    const union = [...this.members[a]!, ...this.members[b]!];
    if (!accept(union)) return false;
    const after = this.between(a, b);
    if (!after) return false;
    this.settle(a, b, after);
    for (const member of this.members[a]!) this.group[member.position] = b;
    this.members[b] = union;
    this.members[a] = [];
    return true;
  }

  /** The groups, as lists of members, that consist of `chosen` operations. */
  groups(chosen: ReadonlySet<Operation>): Operation[][] {
    return this.members.filter((members) => members.length > 0 && chosen.has(members[0]!)).map((members) => [...members]);
  }

  /** Groups that a path from `a` reaches before the rank of `b`; undefined if such a path goes on to `b`. */
  private between(a: number, b: number): Set<number> | undefined {
    const limit = this.rank[b]!;
    const reached = new Set<number>();
    const stamp = ++this.generation;
    const pending = [a];
    while (pending.length) {
      const from = pending.pop()!;
      for (const member of this.members[from]!) {
        for (const output of member.outputs) {
          for (const user of output.users) {
            if (user === this.sink) continue;
            const to = this.group[user.position]!;
            if (to === b) {
              if (from !== a) return undefined;
            } else if (this.stamp[to] !== stamp && this.rank[to]! < limit && to !== a) {
              this.stamp[to] = stamp;
              reached.add(to);
              pending.push(to);
            }
          }
        }
      }
    }
    return reached;
  }

  /** Gives ranks anew from that of `a` to that of `b`: what does not follow `a`, then the union, then what follows. */
  private settle(a: number, b: number, after: ReadonlySet<number>): void {
    const low = this.rank[a]!;
    const high = this.rank[b]!;
    const first: number[] = [];
    const last: number[] = [];
    for (let rank = low; rank <= high; rank++) {
      const group = this.at[rank]!;
      if (group < 0 || group === a || group === b) continue;
      (after.has(group) ? last : first).push(group);
    }
    const order = [...first, b, ...last];
    for (let i = 0; low + i <= high; i++) {
      const group = order[i] ?? -1;
      this.at[low + i] = group;
      if (group >= 0) this.rank[group] = low + i;
    }
  }
}
