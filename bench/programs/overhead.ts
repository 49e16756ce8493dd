import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compile, tensor } from 'pollux';
import { encodePlan } from '../../src/compiler/wire/index.js';
import { Device } from '../../src/runtime/index.js';
import { type Job, serve } from '../serve.js';
import { title } from './model.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The number that a fresh process prints. */
const printedBy = (...args: string[]) => Number(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }));

const jobs: Record<string, () => Job['step']> = {
  'overhead/handed-over': () => {
    // Below the tensors: there, a plan as short as this one runs at once on the thread that asks for it.
    const plan = Device.open('cpu').load(
      encodePlan({ tensors: [], steps: [], bindings: [], results: [], constants: new Uint8Array(), arenaBytes: 0 }),
    );
    return () => plan.run([], { inline: false });
  },
  'overhead/empty-plan': () => {
    const plan = compile({}, () => ({}));
    return async () => {
      await plan();
    };
  },
  'overhead/two-op-plan': () => {
    const x = tensor({ data: new Float32Array(16), shape: [16] });
    const plan = compile({}, (a: typeof x) => a.add(1).relu());
    return async () => {
      await plan(x);
    };
  },
  'overhead/import': () => () =>
    printedBy('--eval', "const t = performance.now(); import('pollux').then(() => console.log(performance.now() - t))"),
  'overhead/first-step': () => () => printedBy('--import', './scripts/typescript.js', 'bench/programs/first-step.ts'),
};

await serve((workload) => ({ title, step: jobs[workload]!() }));
