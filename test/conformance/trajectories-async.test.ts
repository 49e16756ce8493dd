import { runAt } from './level.js';

runAt('scalar', 'async');
await import('../trajectories/trajectories.test.js');
