/** A whole number of at least `least`, or a RangeError that says where and which option. */
export function checkWhole(where: string, name: string, value: unknown, least: number): number {
  if (typeof value !== 'number') throw new TypeError(`${where}: ${name} must be a number, got ${typeof value}.`);
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`${where}: ${name} must be a whole number of at least ${least}, got ${value}.`);
  }
  return value;
}
