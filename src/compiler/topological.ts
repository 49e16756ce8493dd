/**
 * A topological order that follows `priority` (lowest first) as far as the edges allow: Kahn's algorithm over a binary heap.
 *
 * @param priority of item i; of equals the lower number goes first
 * @param successors items that must come after item i; an item named twice counts twice
 * @returns the numbers of the items in order; fewer than there are items if the edges form a cycle
 */
export function* topologicalOrder(
  priority: ArrayLike<number>,
  successors: readonly (readonly number[])[],
  due: () => boolean,
): Generator<void, number[]> {
  const count = priority.length;
  const waiting = new Int32Array(count);
  for (const list of successors) for (const item of list) waiting[item] = waiting[item]! + 1;
  const heap: number[] = [];
  const before = (a: number, b: number): boolean => priority[a]! < priority[b]! || (priority[a] === priority[b] && a < b);

  const push = (item: number): void => {
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = item;
  };
  const pop = (): number => {
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length) {
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
        if (!before(heap[child]!, last)) break;
        heap[at] = heap[child]!;
        at = child;
      }
      heap[at] = last;
    }
    return top;
  };

  for (let i = 0; i < count; i++) if (waiting[i] === 0) push(i);
  const order: number[] = [];
  while (heap.length) {
    const item = pop();
    order.push(item);
    for (const next of successors[item]!) {
      waiting[next] = waiting[next]! - 1;
      if (waiting[next] === 0) push(next);
    }
    if (due()) yield;
  }
  return order;
}
