import { sizeOf } from '../../src/graph/op.js';
import { build } from './array.js';
import type { NdArray64, References } from './array.js';

type Transforms = 'fft' | 'rfft' | 'irfft';

/** The transform by its definition: sum over j of x_j e^(sign 2 pi i j k / n). */
function transformed(re: readonly number[], im: readonly number[], sign: number): [number[], number[]] {
  const n = re.length;
  const at = (k: number) => {
    let [a, b] = [0, 0];
    for (let j = 0; j < n; j++) {
      const angle = (sign * 2 * Math.PI * ((j * k) % n)) / n;
      a += re[j]! * Math.cos(angle) - im[j]! * Math.sin(angle);
      b += re[j]! * Math.sin(angle) + im[j]! * Math.cos(angle);
    }
    return [a, b] as const;
  };
  const found = re.map((_, k) => at(k));
  return [found.map(([a]) => a), found.map(([, b]) => b)];
}

const part = (x: NdArray64, row: number, bins: number, which: 0 | 1): number[] =>
  Array.from({ length: bins }, (_, k) => x.data[(row * bins + k) * 2 + which]!);

export const fftReferences: References<Transforms> = {
  fft: ([x], { inverse }, [type]) => {
    const n = x!.shape.at(-2)!;
    const result = build(type!, () => 0);
    for (let row = 0; row < sizeOf(x!.shape.slice(0, -2)); row++) {
      const [re, im] = transformed(part(x!, row, n, 0), part(x!, row, n, 1), inverse ? 1 : -1);
      for (let k = 0; k < n; k++) result.data.set([re[k]!, im[k]!], (row * n + k) * 2);
    }
    return [result];
  },
  rfft: ([x], _, [type]) => {
    const n = x!.shape.at(-1)!;
    const bins = type!.shape.at(-2)!;
    const result = build(type!, () => 0);
    for (let row = 0; row < sizeOf(x!.shape.slice(0, -1)); row++) {
      const list = [...x!.data.subarray(row * n, (row + 1) * n)];
      const [re, im] = transformed(
        list,
        list.map(() => 0),
        -1,
      );
      for (let k = 0; k < bins; k++) result.data.set([re[k]!, im[k]!], (row * bins + k) * 2);
    }
    return [result];
  },
  irfft: ([x], { size }, [type]) => {
    const bins = x!.shape.at(-2)!;
    const result = build(type!, () => 0);
    for (let row = 0; row < sizeOf(x!.shape.slice(0, -2)); row++) {
      const [re, im] = [part(x!, row, bins, 0), part(x!, row, bins, 1)];
      const mirror = (k: number) => (k < bins ? k : size - k);
      const whole = Array.from({ length: size }, (_, k) => k);
      const imaginary = (k: number) => (k === 0 || 2 * k === size ? 0 : k < bins ? im[k]! : -im[mirror(k)]!);
      result.data.set(
        transformed(
          whole.map((k) => re[mirror(k)]!),
          whole.map(imaginary),
          1,
        )[0],
        row * size,
      );
    }
    return [result];
  },
};
