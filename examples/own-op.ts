// An op of your own, in one file: mish(x) = x * tanh(softplus(x)) (Misra 2019), with a scale as its attribute.
// Run it: npm run example -- examples/own-op.ts
import { compile, defineOp, grad, type Tensor, tensor } from 'pollux';

const mishOp = defineOp<{ scale: number }>({
  name: 'mish',
  // Shapes and dtypes out of shapes and dtypes: one output, like the input.
  infer: ([x]) => x,
  // The same in ops that exist. The gradient, of any order, follows from this.
  decompose: ([x], { scale }) => x.mul(x.softplus().tanh()).mul(scale),
});

/** mish of each element. */
export const mish = (x: Tensor, scale = 1): Tensor => mishOp([x], { scale });

const x = tensor([-2, -0.5, 0, 0.5, 2]);
console.log('mish    ', await mish(x).toArray());

const slope = grad((x) => mish(x).sum());
console.log('slope   ', await slope(x).toArray());
console.log(
  'measured',
  await mish(x.add(1e-2))
    .sub(mish(x.sub(1e-2)))
    .div(2e-2)
    .toArray(),
);

const curvature = grad((x) => slope(x).sum());
console.log('second  ', await curvature(x).toArray());

// In a compiled function it is one fused kernel with what stands around it.
const step = compile((x) => mish(x.add(1), 2).sum());
console.log('compiled', (await step(x)).item());
console.log(step.explain());
