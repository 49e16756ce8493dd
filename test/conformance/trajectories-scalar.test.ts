import { runAt } from './level.js';

runAt('scalar');
await import('../trajectories/trajectories.test.js');
