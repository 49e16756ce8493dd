import { compile, losses, nn, optim, type Tensor } from 'pollux';
import { describe, expect, it } from 'vitest';
import { models, type OptimizerName, optimizers, readTrajectory, type StoredTensor } from './read.js';

class Mlp extends nn.Module {
  dense1 = new nn.Linear(20, 32);
  dense2 = new nn.Linear(32, 32);
  dense3 = new nn.Linear(32, 5);
  forward(x: Tensor) {
    return this.dense3.forward(nn.relu(this.dense2.forward(nn.relu(this.dense1.forward(x)))));
  }
}

class Cnn extends nn.Module {
  conv = new nn.Conv2d(1, 8, 3);
  dense1 = new nn.Linear(5 * 5 * 8, 16);
  dense2 = new nn.Linear(16, 5);
  forward(x: Tensor) {
    const pooled = nn.maxPool2d(2)(nn.relu(this.conv.forward(x)));
    return this.dense2.forward(nn.relu(this.dense1.forward(nn.flatten(pooled))));
  }
}

class BatchNormCnn extends nn.Module {
  conv1 = new nn.Conv2d(1, 8, 3);
  norm1 = new nn.BatchNorm(8);
  conv2 = new nn.Conv2d(8, 16, 3);
  norm2 = new nn.BatchNorm(16);
  dense = new nn.Linear(3 * 3 * 16, 5);
  forward(x: Tensor) {
    const pooled = nn.maxPool2d(2)(nn.relu(this.norm1.forward(this.conv1.forward(x))));
    return this.dense.forward(nn.flatten(nn.relu(this.norm2.forward(this.conv2.forward(pooled)))));
  }
}

class GroupNormCnn extends nn.Module {
  conv1 = new nn.Conv2d(1, 8, 3);
  group1 = new nn.GroupNorm(4, 8);
  conv2 = new nn.Conv2d(8, 16, 3);
  group2 = new nn.GroupNorm(4, 16);
  dense = new nn.Linear(3 * 3 * 16, 5);
  forward(x: Tensor) {
    const pooled = nn.avgPool2d(2)(nn.silu(this.group1.forward(this.conv1.forward(x))));
    return this.dense.forward(nn.flatten(nn.silu(this.group2.forward(this.conv2.forward(pooled)))));
  }
}

class Lstm extends nn.Module {
  lstm = new nn.LSTM(6, 12);
  dense = new nn.Linear(12, 5);
  forward(x: Tensor) {
    return this.dense.forward(this.lstm.forward(x).last);
  }
}

class BidirectionalGru extends nn.Module {
  gru = new nn.GRU(6, 10, { bidirectional: true });
  dense = new nn.Linear(20, 5);
  forward(x: Tensor) {
    return this.dense.forward(this.gru.forward(x).last);
  }
}

class Block extends nn.Module {
  conv1: nn.Conv2d;
  norm1: nn.BatchNorm;
  conv2: nn.Conv2d;
  norm2: nn.BatchNorm;
  shortcut: nn.Conv2d | undefined;
  constructor(inSize: number, outSize: number, stride: number) {
    super();
    this.conv1 = new nn.Conv2d(inSize, outSize, 3, { stride, padding: 1 });
    this.norm1 = new nn.BatchNorm(outSize);
    this.conv2 = new nn.Conv2d(outSize, outSize, 3, { padding: 1 });
    this.norm2 = new nn.BatchNorm(outSize);
    this.shortcut = stride > 1 ? new nn.Conv2d(inSize, outSize, 1, { stride }) : undefined;
  }
  forward(x: Tensor): Tensor {
    const y = this.norm2.forward(this.conv2.forward(nn.silu(this.norm1.forward(this.conv1.forward(x)))));
    return nn.silu(y.add(this.shortcut ? this.shortcut.forward(x) : x));
  }
}

class ResNet extends nn.Module {
  stem = new nn.Conv2d(1, 8, 3, { padding: 1 });
  norm = new nn.BatchNorm(8);
  block1 = new Block(8, 8, 1);
  block2 = new Block(8, 12, 2);
  dense = new nn.Linear(12, 5);
  forward(x: Tensor) {
    const stem = nn.silu(this.norm.forward(this.stem.forward(x)));
    return this.dense.forward(nn.globalAvgPool(this.block2.forward(this.block1.forward(stem))));
  }
}

/** Gives the negative evidence bound of each pixel (Kingma and Welling 2014). */
class Vae extends nn.Module {
  conv = new nn.Conv2d(1, 6, 3, { stride: 2, padding: 1 });
  mean = new nn.Linear(96, 4);
  logVariance = new nn.Linear(96, 4);
  dense = new nn.Linear(4, 96);
  up1 = new nn.ConvTranspose2d(6, 4, 3, { stride: 2, padding: 1, outputPadding: 1 });
  up2 = new nn.ConvTranspose2d(4, 1, 3, { padding: 1 });
  forward(x: Tensor, noise: Tensor): Tensor {
    const hidden = nn.flatten(nn.relu(this.conv.forward(x)));
    const [mean, logVariance]: Tensor[] = [this.mean.forward(hidden), this.logVariance.forward(hidden)];
    const z = mean!.add(logVariance!.div(2).exp().mul(noise));
    const small = nn.relu(this.dense.forward(z)).reshape([-1, 4, 4, 6]);
    const logits: Tensor = this.up2.forward(nn.relu(this.up1.forward(small)));
    const pixels = logits.softplus().sub(logits.mul(x.sigmoid())).sum();
    const divergence = mean!.square().add(logVariance!.exp()).sub(logVariance!).sub(1).mul(0.5).sum();
    return pixels.add(divergence).div(x.size);
  }
}

class Transformer extends nn.Module {
  embed = new nn.Linear(6, 12);
  encoder: nn.TransformerEncoder;
  dense = new nn.Linear(12, 5);
  constructor(options: nn.TransformerOptions) {
    super();
    this.encoder = new nn.TransformerEncoder(2, 12, 3, { hiddenSize: 16, dropout: 0, activation: 'gelu', ...options });
  }
  forward(x: Tensor): Tensor {
    return this.dense.forward(this.encoder.forward(this.embed.forward(x)).mean(1));
  }
}

const build = {
  mlp: () => new Mlp(),
  cnn: () => new Cnn(),
  'batch-norm-cnn': () => new BatchNormCnn(),
  'group-norm-cnn': () => new GroupNormCnn(),
  lstm: () => new Lstm(),
  'bidirectional-gru': () => new BidirectionalGru(),
  resnet: () => new ResNet(),
  vae: () => new Vae(),
  'transformer-encoder': () => new Transformer({}),
  'causal-transformer': () => new Transformer({ preNorm: true, causal: true }),
};

const rule = {
  sgd: optim.sgd(),
  momentum: optim.sgd({ momentum: 0.9 }),
  nesterov: optim.sgd({ momentum: 0.9, nesterov: true }),
  adam: optim.adam(),
  adamw: optim.adamW({ weightDecay: 0.01 }),
};

/** Batch i of what is stored, for a compiled step. */
function batch({ shape, data }: StoredTensor, i: number) {
  const size = data.length / shape[0]!;
  const at = (i % shape[0]!) * size;
  return { data: data.slice(at, at + size), shape: shape.slice(1) };
}

const largest = (data: Iterable<number>) => [...data].reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/**
 * How far a parameter may be from its float64 value after one step. A float32 gradient is off by about 1e-6 of its tensor's largest
 * (16 roundings of 2^-24); SGD passes that on times the rate (and 1 + momentum for Nesterov), Adam divides by the gradient's own size.
 */
function tolerance(optimizer: OptimizerName, rate: number, weight: number, gradient: number, error: number): number {
  const rounding = 2 ** -22 * (Math.abs(weight) + rate);
  if (!optimizer.startsWith('adam')) return rounding + 1.9 * rate * error;
  const epsilon = 1e-8;
  // Moments, corrections, root and quotient: eight roundings of a step as long as the rate (PyTorch's float32 run has 4.3 of them).
  return rounding + 2 ** -22 * rate + rate * Math.min(2, (epsilon * error) / (Math.max(0, Math.abs(gradient) - error) + epsilon) ** 2);
}

describe.each(models)('%s, beside PyTorch', (name) => {
  const stored = readTrajectory(name);
  const steepest = Math.max(...[...stored.gradient.values()].map(({ data }) => largest(data)));

  it.each(optimizers)('trained with %s', async (optimizerName) => {
    const run = stored.runs.get(optimizerName)!;
    const model = build[name]();
    const start = [...stored.start].map(
      ([path, { shape, data }]) => [path, { shape, data: data as Float32Array, dtype: 'float32' }] as const,
    );
    model.loadStateDictionary(new Map(start), { strict: false });
    const optimizer = rule[optimizerName].for(model);
    const step = compile({ state: [model, optimizer] }, (x: Tensor, y: Tensor) => {
      const loss = model instanceof Vae ? model.forward(x, y) : losses.crossEntropy(model.forward(x), y);
      optimizer.minimize(loss);
      return { loss };
    });

    let allowed = 0;
    for (const [i, expected] of run.loss64.data.entries()) {
      optimizer.learningRate = run.rate.data[i]!;
      const { loss } = await step(batch(stored.x, i), batch(stored.y, i));
      allowed = Math.max(allowed, 2 * Math.abs(run.loss32.data[i]! - expected));
      expect(Math.abs(loss.item() - expected), `loss of step ${i + 1}`).toBeLessThanOrEqual(allowed + 1e-6 * Math.abs(expected));
      if (i > 0) continue;

      const state = await model.snapshot();
      const compared = [...run.after1].map(([path, after]) => compare(path, after.data, state.get(path)!.data as Float32Array));
      expect(compared.reduce((a, b) => a + b)).toBeGreaterThan(100);
      for (const [path, { data }] of stored.buffer) {
        const own = state.get(path)!.data as Float32Array;
        for (const [j, value] of data.entries()) expect(own[j], `${path}[${j}]`).toBeCloseTo(value, 6);
      }
    }

    /** Compares one parameter after the first step where its gradient is more than rounding; returns how many numbers that were. */
    function compare(path: string, after: StoredTensor['data'], own: Float32Array): number {
      const gradients = stored.gradient.get(path)!.data;
      if (largest(gradients) < 1e-12 * steepest) return 0; // exactly zero, but for rounding: a bias before batch norm
      const error = 1e-6 * largest(gradients);
      let count = 0;
      for (const [j, gradient] of gradients.entries()) {
        if (Math.abs(gradient) <= error) continue;
        count++;
        const limit = tolerance(optimizerName, run.rate.data[0]!, after[j]!, gradient, error);
        expect(Math.abs(own[j]! - after[j]!), `${path}[${j}] after the first step`).toBeLessThanOrEqual(limit);
      }
      return count;
    }
  });
});
