import { build, elementAt, forEachIndex, placeOf } from './array.js';
import type { NdArray64, References } from './array.js';

type Window = {
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
};
type Index4 = readonly [number, number, number, number];

const finish = (sum: number, bias: NdArray64 | undefined, channel: number, activation: string): number => {
  const shifted = sum + (bias ? bias.data[channel]! : 0);
  return activation === 'relu' && shifted < 0 ? 0 : shifted;
};

/** Calls `fn` for each multiplication of a convolution: with the indices of image, kernel and output. */
function forEachProduct(
  x: readonly number[],
  w: readonly number[],
  y: readonly number[],
  { stride, padding, dilation, groups }: Window,
  fn: (image: Index4, kernel: Index4, output: Index4) => void,
): void {
  forEachIndex(y, (index) => {
    const [n, row, column, out] = index as Index4;
    forEachIndex(w.slice(1), (place) => {
      const [i, j, channel] = place as [number, number, number];
      const top = row * stride[0]! + i * dilation[0]! - padding[0]!;
      const left = column * stride[1]! + j * dilation[1]! - padding[2]!;
      if (top < 0 || left < 0 || top >= x[1]! || left >= x[2]!) return;
      const group = Math.floor((out * groups) / w[0]!);
      fn([n, top, left, group * w[3]! + channel], [out, i, j, channel], [n, row, column, out]);
    });
  });
}

export const contractionReferences: References<'matmul' | 'conv2d' | 'conv2dGradInput' | 'conv2dGradWeight'> = {
  matmul: ([a, b, bias], { transposeA, transposeB, activation }, [type]) => {
    const inner = a!.shape.at(transposeA ? -2 : -1)!;
    const [rows, columns] = type!.shape.slice(-2) as [number, number];
    const [rowStep, leftStep] = transposeA ? [1, rows] : [inner, 1];
    const [columnStep, rightStep] = transposeB ? [inner, 1] : [1, columns];
    return [
      build(type!, (index, flat) => {
        const batch = Math.floor(flat / (rows * columns));
        const [row, column] = index.slice(-2) as [number, number];
        const left = batch * rows * inner + row * rowStep;
        const right = batch * inner * columns + column * columnStep;
        let sum = 0;
        for (let k = 0; k < inner; k++) sum += a!.data[left + k * leftStep]! * b!.data[right + k * rightStep]!;
        return finish(sum, bias, column, activation);
      }),
    ];
  },
  conv2d: ([x, w, bias], attributes, [type]) => {
    const y = build(type!, () => 0);
    forEachProduct(x!.shape, w!.shape, y.shape, attributes, (image, kernel, output) => {
      y.data[placeOf(y.shape, output)]! += elementAt(x!, image) * elementAt(w!, kernel);
    });
    return [build(type!, (index, i) => finish(y.data[i]!, bias, index[3]!, attributes.activation))];
  },
  conv2dGradInput: ([dy, w], attributes, [type]) => {
    const dx = build(type!, () => 0);
    forEachProduct(dx.shape, w!.shape, dy!.shape, attributes, (image, kernel, output) => {
      dx.data[placeOf(dx.shape, image)]! += elementAt(dy!, output) * elementAt(w!, kernel);
    });
    return [dx];
  },
  conv2dGradWeight: ([x, dy], attributes, [type]) => {
    const dw = build(type!, () => 0);
    forEachProduct(x!.shape, dw.shape, dy!.shape, attributes, (image, kernel, output) => {
      dw.data[placeOf(dw.shape, kernel)]! += elementAt(x!, image) * elementAt(dy!, output);
    });
    return [dw];
  },
};
