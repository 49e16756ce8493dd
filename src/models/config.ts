import { PolluxError } from '../errors.js';

/** A `config.json`, as published models have it. */
export type ConfigJson = Readonly<Record<string, unknown>>;

/** Reads settings of one model out of its `config.json`. */
export class ConfigReader {
  constructor(
    readonly model: string,
    readonly json: ConfigJson,
  ) {}

  /** A whole number above 0; the first of the names that is there. @throws INVALID_ARGUMENT */
  size(...names: readonly string[]): number {
    const found = this.optionalSize(...names);
    if (found !== undefined) return found;
    throw new PolluxError('INVALID_ARGUMENT', `${this.model}: the configuration has no ${names.join(' or ')}.`);
  }

  optionalSize(...names: readonly string[]): number | undefined {
    const name = names.find((each) => this.json[each] !== undefined && this.json[each] !== null);
    if (name === undefined) return undefined;
    const value = this.json[name];
    if (Number.isInteger(value) && (value as number) > 0) return value as number;
    throw new PolluxError('INVALID_ARGUMENT', `${this.model}: ${name} must be a whole number above 0, not ${JSON.stringify(value)}.`);
  }

  number(name: string, otherwise: number): number {
    const value = this.json[name] ?? otherwise;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw new PolluxError('INVALID_ARGUMENT', `${this.model}: ${name} must be a number, not ${JSON.stringify(value)}.`);
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.json[name] ?? otherwise;
    if (typeof value === 'boolean') return value;
    throw new PolluxError('INVALID_ARGUMENT', `${this.model}: ${name} must be true or false, not ${JSON.stringify(value)}.`);
  }

  /** One of the known words. @throws UNSUPPORTED */
  choice<const K extends Readonly<Record<string, unknown>>>(name: string, known: K, otherwise: keyof K): K[keyof K] {
    const value = String(this.json[name] ?? (otherwise as string));
    if (Object.hasOwn(known, value)) return known[value] as K[keyof K];
    throw new PolluxError('UNSUPPORTED', `${this.model}: ${name} is "${value}"; known are ${Object.keys(known).join(', ')}.`);
  }

  /** Refuses what would change the model's answers and is not built. @throws UNSUPPORTED */
  refuse(name: string, ...harmless: readonly unknown[]): void {
    const value = this.json[name];
    if (value === undefined || value === null || harmless.includes(value)) return;
    throw new PolluxError('UNSUPPORTED', `${this.model}: ${name} is ${JSON.stringify(value)}, which is not supported.`);
  }
}
