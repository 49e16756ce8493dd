import { expect, it } from 'vitest';
import { Device } from '../../src/runtime/index.js';

/**
 * Makes the tests that follow in a file run on one twin at one instruction-set level. Both are read when a twin is first opened, so
 * this comes before the package is imported, and a file has one level.
 */
export function runAt(level: 'scalar' | 'avx2' | 'avx512', device: 'cpu' | 'async' = 'cpu'): void {
  process.env['POLLUX_ISA'] = level;
  process.env['POLLUX_DEVICE'] = device;
  it(`runs on ${device} at ${level} or the best level below`, () => {
    const order = ['scalar', 'avx2', 'avx512'];
    expect(order.indexOf(Device.open(device).level)).toBeLessThanOrEqual(order.indexOf(level));
  });
}
