import { compile, nn, optim, Parameter, type Tensor, tensor } from 'pollux';
import { serve } from '../serve.js';
import { title } from './model.js';

/** The optimizers of workloads.ts, by the part of its name after `optimizer/`. */
const descriptions: Readonly<Record<string, () => optim.OptimizerDescription>> = {
  sgd: () => optim.sgd(),
  momentum: () => optim.sgd({ momentum: 0.9 }),
  adam: () => optim.adam(),
  amsgrad: () => optim.adamW({ amsgrad: true }),
  nadam: () => optim.nadam(),
  radam: () => optim.radam(),
  adamax: () => optim.adamax(),
  rmsprop: () => optim.rmsprop(),
  'rmsprop-centered': () => optim.rmsprop({ centered: true, momentum: 0.9 }),
  adagrad: () => optim.adagrad(),
  adadelta: () => optim.adadelta(),
  rprop: () => optim.rprop(),
  lion: () => optim.lion({ weightDecay: 0.1 }),
  accumulate: () => optim.adamW({ accumulate: 2 }),
  lookahead: () => optim.lookahead(optim.adamW()),
  penalties: () => optim.adamW({ amsgrad: true, clipValue: 1, l1: 1e-5 }),
};

class Flat extends nn.Module {
  readonly weight: Parameter<readonly [number]>;
  constructor(size: number) {
    super();
    this.weight = new Parameter([size], nn.init.zeros);
  }
  forward(x: Tensor) {
    return x.mul(this.weight);
  }
}

await serve((workload) => {
  const name = workload.split('/')[1];
  const size = name === undefined ? 50_000_000 : 20_000_000;
  const model = new Flat(size);
  const description = name === undefined ? optim.adamW({ learningRate: 1e-3, weightDecay: 0.01 }) : descriptions[name]!();
  const optimizer = description.for(model);
  const gradient = tensor({ data: new Float32Array(size).fill(1e-3), shape: [size] });
  const update = compile({ state: [model, optimizer] }, (g: Tensor) => {
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
