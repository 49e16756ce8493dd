const gains = { linear: 1, sigmoid: 1, tanh: 5 / 3, relu: Math.SQRT2, leakyRelu: Math.SQRT2, selu: 3 / 4 };
/** What a layer's outputs go through. */
export type Nonlinearity = keyof typeof gains;

/** By how much weights grow so that a nonlinearity keeps the variance; torch.nn.init.calculate_gain. `slope`: of leakyRelu, default 0.01. */
export function calculateGain(nonlinearity: Nonlinearity, slope = 0.01): number {
  if (!Object.hasOwn(gains, nonlinearity))
    throw new RangeError(`calculateGain: unknown nonlinearity '${nonlinearity}'. Known: ${Object.keys(gains).join(', ')}.`);
  return nonlinearity === 'leakyRelu' ? gains.leakyRelu / Math.sqrt(1 + slope ** 2) : gains[nonlinearity];
}
