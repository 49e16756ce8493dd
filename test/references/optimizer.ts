import { build } from './array.js';
import type { References } from './array.js';

export const optimizerReferences: References<'sgdUpdate' | 'adamUpdate'> = {
  sgdUpdate: ([p, g, buffer, learningRate, step, scale], { momentum, dampening, nesterov, weightDecay }) => {
    const slope = build(p!, (_, i) => g!.data[i]! * scale!.data[0]! + weightDecay * p!.data[i]!);
    const rate = learningRate!.data[0]!;
    if (momentum === 0) return [build(p!, (_, i) => p!.data[i]! - rate * slope.data[i]!), buffer!];
    const first = step!.data[0]! <= 1;
    const moved = build(p!, (_, i) => (first ? slope.data[i]! : momentum * buffer!.data[i]! + (1 - dampening) * slope.data[i]!));
    return [build(p!, (_, i) => p!.data[i]! - rate * (nesterov ? slope.data[i]! + momentum * moved.data[i]! : moved.data[i]!)), moved];
  },
  adamUpdate: ([p, g, m, v, learningRate, step, scale], { beta1, beta2, epsilon, weightDecay, decoupled }) => {
    const rate = learningRate!.data[0]!;
    const t = step!.data[0]!;
    const slope = build(p!, (_, i) => g!.data[i]! * scale!.data[0]! + (decoupled ? 0 : weightDecay * p!.data[i]!));
    const mean = build(p!, (_, i) => beta1 * m!.data[i]! + (1 - beta1) * slope.data[i]!);
    const meanSquare = build(p!, (_, i) => beta2 * v!.data[i]! + (1 - beta2) * slope.data[i]! ** 2);
    const parameter = build(p!, (_, i) => {
      const decayed = p!.data[i]! * (decoupled ? 1 - rate * weightDecay : 1);
      const corrected = mean.data[i]! / (1 - beta1 ** t);
      return decayed - (rate * corrected) / (Math.sqrt(meanSquare.data[i]! / (1 - beta2 ** t)) + epsilon);
    });
    return [parameter, mean, meanSquare];
  },
};
