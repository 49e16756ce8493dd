import type { Value } from '../graph/node.js';
import { sizeOf } from '../graph/op.js';
import { div } from './arithmetic.js';
import { broadcast, reshape } from './broadcast.js';
import { cast } from './cast.js';
import { equal } from './comparison.js';
import { applyOne, defineRecord } from './define.js';
import type { Flow, GradientCall } from './define.js';
import { requirePaired, scatterAlong, takeAlong } from './indexing.js';
import { constant, iota, onesLike, zerosLike } from './leaf.js';
import { arithmetic, fail, normaliseAxis, requireDtype, requireSameDtype, requireSameShape } from './support.js';
import { where } from './where.js';

type ScatterAttributes = { readonly axis: number; readonly rule: string };

/** Of the updates that go to one place the last is set: it alone has a gradient, and what it replaced has none. */
function setGradient({ dy, inputs: [x, indices, updates], attributes: { axis } }: GradientCall<ScatterAttributes>): Flow[] {
  const set = (to: Value, from: Value): Value => applyOne(scatterRecords.scatterReduce, [to, indices, from], { axis, rule: 'set' });
  return [
    () => set(dy, zerosLike(updates)),
    undefined,
    () => {
      const own = reshape(iota([sizeOf(updates.shape)]), updates.shape);
      const last = takeAlong(set(zerosLike({ shape: x.shape, dtype: 'int32' }), own), indices, axis);
      return where(equal(last, own), takeAlong(dy, indices, axis), zerosLike(updates));
    },
  ];
}

/** The extreme elements of a place, old and new, share its gradient equally. */
function extremeGradient({ dy, inputs: [x, indices, updates], y, attributes: { axis } }: GradientCall<ScatterAttributes>): Flow[] {
  const old = equal(x, y);
  const fresh = equal(updates, takeAlong(y, indices, axis));
  const count = scatterAlong(cast(old, x.dtype), indices, cast(fresh, x.dtype), axis);
  // A place of NaN alone has no extreme; nothing flows there.
  const share = div(dy, where(equal(count, 0), onesLike(count), count));
  return [() => where(old, share, zerosLike(x)), undefined, () => where(fresh, takeAlong(share, indices, axis), zerosLike(updates))];
}

export const scatterRecords = {
  scatterReduce: defineRecord<ScatterAttributes>({
    name: 'scatterReduce',
    cost: 'move',
    reports: true,
    inPlace: [[0, 0]],
    infer([x, indices, updates], { axis, rule }) {
      requirePaired('scatterReduce', x, indices, axis);
      requireSameDtype('scatterReduce', x, updates);
      requireSameShape('scatterReduce', updates, indices);
      if (rule !== 'set') requireDtype('scatterReduce', x, arithmetic);
      return x;
    },
    gradient: (call) => (call.attributes.rule === 'set' ? setGradient(call) : extremeGradient(call)),
  }),
};

export type ScatterRule = 'set' | 'sum' | 'mean' | 'maximum' | 'minimum';

/**
 * `x` with updates at the places that `takeAlong` would read: set (of several for one place the last in row-major order stays),
 * added up, or taken into a maximum, a minimum or a mean with what stands there (`includeSelf` false: of the updates alone).
 */
export function scatter(x: Value, indices: Value, updates: Value, axis = -1, rule: ScatterRule = 'set', includeSelf = true): Value {
  const at = normaliseAxis('scatter', axis, x.shape.length);
  const spread = broadcast(updates, indices.shape);
  const put = (to: Value, from: Value, by: string): Value =>
    applyOne(scatterRecords.scatterReduce, [to, indices, from], { axis: at, rule: by });
  if (rule === 'set') return put(x, spread, rule);
  // What is to be left out is first replaced: by nothing in a sum, by one of the updates in an extreme.
  const base = includeSelf ? x : put(x, rule === 'maximum' || rule === 'minimum' ? spread : zerosLike(spread), 'set');
  if (rule === 'maximum' || rule === 'minimum') return put(base, spread, rule);
  if (rule !== 'sum' && rule !== 'mean')
    fail('INVALID_ARGUMENT', 'scatter', `the rule "${String(rule)}" is none of set, sum, mean, maximum, minimum`);
  const total = scatterAlong(base, indices, spread, at);
  if (rule === 'sum') return total;
  const own = constant(1, x.shape, x.dtype);
  const ones = onesLike(spread);
  const counted = scatterAlong(includeSelf ? own : put(own, zerosLike(ones), 'set'), indices, ones, at);
  return div(total, counted);
}
