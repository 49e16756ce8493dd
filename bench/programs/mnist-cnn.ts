import { serve } from '../serve.js';
import { mnistCnn, title } from './model.js';

await serve((_, precision) => {
  if (precision !== 'float32') throw new Error(`mnist-cnn does not run in ${precision} yet`);
  const train = mnistCnn();
  let loss = Number.NaN;
  return {
    title,
    step: async () => {
      loss = await train();
    },
    result: () => loss,
  };
});
