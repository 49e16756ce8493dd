import { describe, expect, it } from 'vitest';
import { child, temporaryFolder } from './support.js';

const folder = temporaryFolder();

const training = `const { compile, evaluate, losses, nn, optim, tensor, uniform } = pollux;
  const model = new nn.Sequential(new nn.Linear(512, 2048), nn.relu, new nn.Linear(2048, 10));
  const optimizer = optim.adam().for(model);
  const step = compile({ state: [model, optimizer] }, (x, y) => {
    const loss = losses.crossEntropy(model.forward(x), y);
    optimizer.minimize(loss);
    return { loss };
  });
  const x = { data: new Float32Array(512 * 256).fill(0.1), shape: [256, 512] };
  const y = { data: new Int32Array(256), shape: [256] };
  await step(x, y);`;

describe('a twin that cannot be loaded', () => {
  it('says why and what to do, and import alone does not ask for it', async () => {
    const { status, stdout, stderr } = await child(
      `const { tensor, devices, nn } = pollux;
      const model = new nn.Linear(2, 2);
      for (let i = 0; i < 2; i++) await tensor([1, 2]).add(1).data().catch((error) => console.log(error.constructor.name, error.code, error.message));
      await model.forward(tensor([[1, 2]])).data().catch((error) => console.log(error.code));
      console.log(JSON.stringify(await devices()));`,
      { env: { POLLUX_NATIVE_PATH: folder } },
    );
    expect(status, stderr).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines[0]).toMatch(/^PolluxError BACKEND_UNAVAILABLE .*libpollux_cpu\.so.*npm run setup/);
    expect(lines[1]).toBe(lines[0]);
    expect(lines[2]).toBe('BACKEND_UNAVAILABLE');
    expect(JSON.parse(lines[3]!)[0]).toMatchObject({ name: 'cpu', available: false, reason: expect.stringContaining('libpollux_cpu.so') });
  });
});

describe('exit with work in flight', () => {
  it.each([
    ['process.exit', 'setTimeout(() => process.exit(0), 5);'],
    ['an error that nobody catches', `setTimeout(() => { throw new Error('mine'); }, 5);`],
    ['the end of the program, which waits for what it asked for', `Promise.all(calls).then(() => console.log('all'));`],
  ])('by %s is prompt and clean', async (how, end) => {
    const started = performance.now();
    const { status, stdout, stderr } = await child(
      `${training} const calls = [0, 1, 2, 3].map(() => step(x, y)); for (const call of calls) call.catch(() => {}); console.log('running'); ${end}`,
    );
    expect(performance.now() - started).toBeLessThan(60_000);
    expect(stdout).toContain('running');
    if (how.startsWith('an error')) {
      expect(status).toBe(1);
      expect(stderr).toContain('mine');
    } else expect(status, stderr).toBe(0);
    if (how.startsWith('the end')) expect(stdout).toContain('all');
  });

  it('in the middle of fit is prompt and clean', async () => {
    const { status, stderr } = await child(`const { ArrayDataset, losses, nn, optim, Trainer } = pollux;
      const data = new ArrayDataset({ x: { data: new Float32Array(64000), shape: [1000, 64] }, y: { data: new Int32Array(1000), shape: [1000] } });
      const trainer = new Trainer(new nn.Linear(64, 10), { loss: losses.crossEntropy, optimizer: optim.adam() });
      let steps = 0;
      for await (const event of trainer.fit(data, { epochs: 1000, batchSize: 10 })) if (event.type === 'step' && steps++ === 3) process.exit(0);`);
    expect(status, stderr).toBe(0);
  });
});

describe('out of memory', () => {
  it('under a limit of the process: the step rejects, the model goes on', async () => {
    const { status, stdout, stderr } = await child(`${training}
      const before = await model.snapshot();
      for (let i = 0; i < 3; i++) {
        const error = await step({ data: new Float32Array(512), shape: [1, 512] }, { data: new Int32Array(1), shape: [1] }).then(() => undefined, (e) => e);
        if (error) throw error;
      }
      const huge = pollux.compile((a) => a.broadcastTo([3e6, 3e6]).exp().sum(0));
      for (let i = 0; i < 2; i++) {
        const error = await huge(tensor([1])).then(() => undefined, (e) => e);
        console.log(error?.code);
        const lazy = await tensor([1]).broadcastTo([3e6, 3e6]).exp().data().then(() => undefined, (e) => e);
        console.log(lazy?.code);
      }
      console.log((await step(x, y)).loss.item() > 0);`);
    expect(status, stderr).toBe(0);
    expect(stdout.trim().split('\n')).toEqual(['OUT_OF_MEMORY', 'OUT_OF_MEMORY', 'OUT_OF_MEMORY', 'OUT_OF_MEMORY', 'true']);
  });
});

describe('worker threads', () => {
  const start = `const { Worker } = await import('node:worker_threads'); const { once } = await import('node:events');
    const begin = (steps, seed) => { const worker = new Worker(new URL('file://' + process.cwd() + '/test/e2e/worker.ts'), { workerData: { steps, seed }, execArgv: ['--import', 'file://' + process.cwd() + '/scripts/typescript.js'] });
      worker.digest = new Promise((resolve, reject) => { worker.on('message', (m) => m !== 'training' && resolve(m)); worker.on('error', reject); });
      worker.training = new Promise((resolve) => worker.on('message', (m) => m === 'training' && resolve()));
      return worker; };`;

  it('train at once, each with the bits it would have alone; one terminated in mid-step harms none', async () => {
    const { status, stdout, stderr } = await child(`${start}
      const alone = await begin(30, 1).digest;
      const victims = [begin(1e6, 3), begin(1e6, 4)];
      const both = [begin(30, 1), begin(30, 2)];
      await Promise.all(victims.map((victim) => victim.training));
      console.log(await victims[0].terminate());
      const digests = await Promise.all(both.map((worker) => worker.digest));
      console.log(digests[0] === alone, digests[1] !== alone);
      console.log(await victims[1].terminate());
      console.log((await begin(30, 1).digest) === alone);
      ${training}
      console.log((await step(x, y)).loss.item() > 0);`);
    expect(status, stderr).toBe(0);
    expect(stdout.trim().split('\n')).toEqual(['1', 'true true', '1', 'true', 'true']);
  });

  it('still training when the process exits do not hold it up', async () => {
    const { status, stderr } = await child(
      `${start} const workers = [begin(1e6, 3), begin(1e6, 4)]; await Promise.all(workers.map((w) => w.training)); process.exit(0);`,
    );
    expect(status, stderr).toBe(0);
  });
});
