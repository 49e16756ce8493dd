import { runAt } from './level.js';

runAt('avx2');
await import('../trajectories/trajectories.test.js');
