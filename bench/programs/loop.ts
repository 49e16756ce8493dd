import { setTimeout } from 'node:timers/promises';
import { serve } from '../serve.js';
import { mnistCnn, title } from './model.js';

/** Trains until the process ends. */
async function trainOn(): Promise<void> {
  for (const train = mnistCnn(); ; ) await train();
}

await serve((workload) => {
  if (workload === 'loop/training') {
    trainOn().catch((error) => {
      console.error(error);
      process.exit(1);
    });
  }
  return {
    title,
    step: async () => {
      const start = performance.now();
      await setTimeout(1);
      return performance.now() - start - 1;
    },
  };
});
