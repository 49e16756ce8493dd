import { compile, nn, optim, Parameter, type Tensor, tensor } from 'pollux';
import { serve } from '../serve.js';
import { title } from './model.js';

const size = 50_000_000;

class Flat extends nn.Module {
  readonly weight = new Parameter([size] as const, nn.init.zeros);
  forward(x: Tensor) {
    return x.mul(this.weight);
  }
}

await serve(() => {
  const model = new Flat();
  const optimizer = optim.adamW({ learningRate: 1e-3, weightDecay: 0.01 }).for(model);
  const gradient = tensor({ data: new Float32Array(size).fill(1e-3), shape: [size] });
  const update = compile({ state: [model, optimizer] }, (g: typeof gradient) => {
    optimizer.apply([g]);
    return {};
  });
  return {
    title,
    step: async () => {
      await update(gradient);
    },
  };
});
