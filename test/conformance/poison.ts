import type { PlanDescription } from '../../src/compiler/wire/index.js';

/** A plan whose arena has `bytes`, all of which it overwrites with those of its binding. */
export function poisonPlan(bytes: number): PlanDescription {
  const tensor = (kind: 'arena' | 'binding' | 'result', length: number) => ({
    dtype: 'uint8' as const,
    shape: [length],
    strides: [1],
    location: { kind, index: 0, offset: 0 },
  });
  const copy = (input: number, output: number) => ({
    kernel: 'elementwise',
    label: 'poison',
    inputs: [input],
    outputs: [output],
    attributes: {},
    program: { instructions: [], stored: [0] },
    commit: false,
    queue: 'compute' as const,
    waits: [],
    flops: 0,
    bytes: 0,
  });
  return {
    arenaBytes: bytes,
    bindings: [{ bytes, kind: 'input' }],
    results: [{ bytes: 1 }],
    constants: new Uint8Array(),
    tensors: [tensor('binding', bytes), tensor('arena', bytes), tensor('arena', 1), tensor('result', 1)],
    steps: [copy(0, 1), copy(2, 3)],
  };
}
