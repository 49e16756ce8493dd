import { compile, losses, nn, optim, type Tensor, tensor } from 'pollux';
import { serve } from '../serve.js';
import { title } from './model.js';

const [batch, length, size, layers, words] = [16, 128, 256, 4, 5000];

class LanguageModel extends nn.Module {
  readonly embedding = new nn.Embedding(words, size);
  readonly layers = new nn.TransformerEncoder(layers, size, 4, {
    causal: true,
    preNorm: true,
    activation: 'gelu',
    hiddenSize: 4 * size,
    dropout: 0,
  });
  readonly head = new nn.Linear(size, words);

  forward(ids: Tensor): Tensor {
    return this.head.forward(this.layers.forward(this.embedding.forward(ids)) as Tensor);
  }
}

await serve((_, precision) => {
  if (precision !== 'float32') throw new Error(`transformer does not run in ${precision} yet`);
  const ids = Int32Array.from({ length: batch * length }, (_, i) => (i * 2654435761) % words);
  const x = tensor({ data: ids, shape: [batch, length] });
  const y = tensor({ data: ids.map((id) => (id + 1) % words), shape: [batch * length] });
  const model = new LanguageModel();
  const optimizer = optim.adamW({ learningRate: 1e-3, weightDecay: 0.01 }).for(model);
  const step = compile({ state: [model, optimizer] }, (inputs: Tensor, targets: Tensor) => {
    const loss = losses.crossEntropy(model.forward(inputs).reshape([batch * length, words]), targets);
    optimizer.minimize(loss);
    return { loss };
  });
  let loss = Number.NaN;
  return {
    title,
    step: async () => {
      loss = await (await step(x, y)).loss.item();
    },
    result: () => loss,
  };
});
