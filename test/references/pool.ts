import { build, elementAt, placeOf } from './array.js';
import type { NdArray64, References } from './array.js';
import { contractionReferences } from './contraction.js';

type Pool = { readonly window: readonly number[]; readonly stride: readonly number[]; readonly padding: readonly number[] };

/** The elements of the window of an output index that lie inside the image: their place in the window, and their index. */
function windowOf(
  image: readonly number[],
  { window, stride, padding }: Pool,
  index: readonly number[],
): { place: number; at: number[] }[] {
  const found: { place: number; at: number[] }[] = [];
  const [n, row, column, channel] = index as [number, number, number, number];
  for (let i = 0; i < window[0]!; i++) {
    for (let j = 0; j < window[1]!; j++) {
      const top = row * stride[0]! + i - padding[0]!;
      const left = column * stride[1]! + j - padding[2]!;
      if (top < 0 || left < 0 || top >= image[1]! || left >= image[2]!) continue;
      found.push({ place: i * window[1]! + j, at: [n, top, left, channel] });
    }
  }
  return found;
}

/** The first greatest element of each window, NaN being the greatest, and its place. */
function maxPool(x: NdArray64, pool: Pool, shape: readonly number[]): [y: NdArray64, index: NdArray64] {
  const best = (index: readonly number[]) =>
    windowOf(x.shape, pool, index)
      .map(({ place, at }) => ({ place, value: elementAt(x, at) }))
      .reduce((held, next) => (!Number.isNaN(held.value) && (Number.isNaN(next.value) || next.value > held.value) ? next : held));
  return [build({ shape, dtype: x.dtype }, (index) => best(index).value), build({ shape, dtype: 'uint8' }, (index) => best(index).place)];
}

function unpool(dy: NdArray64, index: NdArray64, pool: Pool, inputSize: readonly number[]): NdArray64 {
  const dx = build({ shape: [dy.shape[0]!, ...inputSize, dy.shape[3]!], dtype: dy.dtype }, () => 0);
  build(dy, (output, i) => {
    for (const { place, at } of windowOf(dx.shape, pool, output)) {
      if (place === index.data[i]) dx.data[placeOf(dx.shape, at)]! += dy.data[i]!;
    }
    return 0;
  });
  return dx;
}

/** What a window's sum is divided by. */
const divisor = (found: readonly unknown[], { window }: Pool, countPadding: boolean): number =>
  countPadding ? window[0]! * window[1]! : found.length;

/** No dilation and no groups. */
const plain = { dilation: [1, 1], groups: 1 };

const tiles = (window: readonly number[]): Pool => ({ window, stride: window, padding: [0, 0, 0, 0] });

type Pools = 'maxPool2d' | 'maxPool2dGrad' | 'maxPool2dGather' | 'avgPool2d' | 'avgPool2dGrad' | 'conv2dMaxPool' | 'conv2dGradWeightUnpool';

export const poolReferences: References<Pools> = {
  maxPool2d: ([x], pool, [type]) => maxPool(x!, pool, type!.shape),
  maxPool2dGrad: ([dy, index], { inputSize, ...pool }) => [unpool(dy!, index!, pool, inputSize)],
  maxPool2dGather: ([x, index], pool, [type]) => [
    build(type!, (output, i) => {
      const chosen = windowOf(x!.shape, pool, output).find(({ place }) => place === index!.data[i]);
      return chosen ? elementAt(x!, chosen.at) : 0;
    }),
  ],
  avgPool2d: ([x], { countPadding, ...pool }, [type]) => [
    build(type!, (index) => {
      const found = windowOf(x!.shape, pool, index);
      return found.reduce((sum, { at }) => sum + elementAt(x!, at), 0) / divisor(found, pool, countPadding);
    }),
  ],
  avgPool2dGrad: ([dy], { countPadding, inputSize: _, ...pool }, [type]) => {
    const dx = build(type!, () => 0);
    build(dy!, (output, i) => {
      const found = windowOf(dx.shape, pool, output);
      for (const { at } of found) dx.data[placeOf(dx.shape, at)]! += dy!.data[i]! / divisor(found, pool, countPadding);
      return 0;
    });
    return [dx];
  },
  conv2dMaxPool: ([x, w, bias], { stride, padding, window, activation }, [type]) => {
    const size = [0, 1].map(
      (i) => Math.floor((x!.shape[1 + i]! + padding[2 * i]! + padding[2 * i + 1]! - w!.shape[1 + i]!) / stride[i]!) + 1,
    );
    const convolved = { shape: [x!.shape[0]!, ...size, w!.shape[0]!], dtype: x!.dtype };
    const [all] = contractionReferences.conv2d([x!, w!, bias!], { stride, padding, ...plain, activation: 'none' }, [convolved]);
    const [y, index] = maxPool(all!, tiles(window), type!.shape);
    return [build(y, (_, i) => (activation === 'relu' && y.data[i]! < 0 ? 0 : y.data[i]!)), index];
  },
  conv2dGradWeightUnpool: ([x, dy, index], { stride, padding, kernelSize, window, outputSize }, types) =>
    contractionReferences.conv2dGradWeight(
      [x!, unpool(dy!, index!, tiles(window), outputSize)],
      { stride, padding, ...plain, kernelSize },
      types,
    ),
};
