/** Prints how much longer, in ms, the first mnist-cnn step of this process takes than a later one. */
import { median } from '../statistics.js';
import { mnistCnn } from './model.js';

const train = mnistCnn();
const ms: number[] = [];
for (let i = 0; i < 21; i++) {
  const start = performance.now();
  await train();
  ms.push(performance.now() - start);
}
console.log(ms[0]! - median(ms.slice(1)));
