// What was checked: ops by dtypes, devices and checks, counted as the checks are made.
import type { DType } from '../../src/graph/dtype.js';
import { dtypes } from '../../src/graph/dtype.js';
import type { Cases, Check, Root } from './cases.js';

interface Row {
  readonly reasons: ReadonlyMap<Check, string>;
  readonly dtypes: Set<DType>;
  /** Elements compared, by check and device. */
  readonly counts: Map<string, number>;
  /** Elements that rounding alone decides, and all, of one run. */
  undecided: number;
  elements: number;
}

const letters: Record<DType, string> = {
  float32: 'f',
  bfloat16: 'b',
  float16: 'h',
  int8: 'c',
  uint8: 'u',
  int32: 'i',
  int64: 'l',
  bool: '?',
};
const shown = ['forward', 'gradient', 'second', 'decomposition', 'unfused', 'canary'] as const;

export class Coverage {
  readonly #devices: string[] = [];
  readonly #rows = new Map<string, Row>();

  addDevice(title: string): void {
    this.#devices.push(title);
  }

  addOp({ name, reasons, roots }: Cases): void {
    const row: Row = { reasons, dtypes: new Set(roots.map(({ dtype }) => dtype)), counts: new Map(), undecided: 0, elements: 0 };
    for (const { expected } of roots) {
      row.elements += expected.error.length;
      row.undecided += expected.error.filter((error) => error === Infinity).length;
    }
    this.#rows.set(name, row);
  }

  add(device: string, op: string, { check, expected }: Root, how: string): void {
    this.#count(device, op, how === 'fused' ? check : 'unfused', expected.error.length);
  }

  addCanary(device: string, op: string): void {
    this.#count(device, op, 'canary', 1);
  }

  #count(device: string, op: string, check: string, elements: number): void {
    const { counts } = this.#rows.get(op)!;
    const key = `${check} ${device}`;
    counts.set(key, (counts.get(key) ?? 0) + Math.max(1, elements));
  }

  /** Checks that were not made though nothing excuses them, each with its op and device. */
  gaps(): string[] {
    const found: string[] = [];
    for (const [op, row] of this.#rows) {
      for (const device of this.#devices) {
        for (const check of shown) {
          if (!row.counts.get(`${check} ${device}`) && !row.reasons.has(check as Check)) found.push(`${op}: ${check} on ${device}`);
        }
      }
      if (row.undecided > 0.01 * row.elements) found.push(`${op}: rounding decides ${row.undecided} of ${row.elements} elements`);
    }
    return [...new Set(found)];
  }

  table(): string {
    const devices = this.#devices;
    const cells = [...this.#rows].map(([op, row]) => [
      op,
      dtypes.map((dtype) => (row.dtypes.has(dtype) ? letters[dtype] : '.')).join(''),
      ...shown.map((check) => {
        const counts = devices.map((device) => row.counts.get(`${check} ${device}`) ?? 0);
        const reason = row.reasons.get(check as Check);
        return reason ? `- ${reason}` : new Set(counts).size === 1 ? String(counts[0]) : counts.join(' ');
      }),
      row.undecided ? String(row.undecided) : '',
    ]);
    const titles = ['op', 'dtypes', ...shown, 'undecided'];
    const widths = titles.map((title, column) => Math.max(title.length, ...cells.map((cell) => cell[column]!.length)));
    const line = (cell: readonly string[]): string =>
      cell
        .map((text, column) => text.padEnd(widths[column]!))
        .join('  ')
        .trimEnd();
    return [
      `Elements compared on each of: ${devices.join(', ')}. Dtypes: ${dtypes.map((dtype) => `${letters[dtype]} ${dtype}`).join(', ')}.`,
      line(titles),
      ...cells.map(line),
    ].join('\n');
  }
}
