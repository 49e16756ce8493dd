import { maskedCrc32c } from './crc32c.js';

/**
 * TensorBoard's files: TFRecords of protocol-buffer messages. The few messages that are written here, by field number:
 * Event { 1 wall_time double; 2 step int64; 3 file_version string; 5 summary; 7 session_log { 1 status } }
 * Summary { 1 value* { 1 tag string; 2 simple_value float; 5 histo } }
 * HistogramProto { 1 min; 2 max; 3 num; 4 sum; 5 sum_squares double; 6 bucket_limit*, 7 bucket* packed double }
 */

/** Length, its checksum, the data, their checksum. */
export function frame(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return record;
}

const varint = (value: number): number[] => {
  const bytes: number[] = [];
  for (let rest = BigInt(value); ; rest >>= 7n) {
    if (rest < 128n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 127n) | 128);
  }
};

const wire = { varint: 0, bytes64: 1, bytes: 2, bytes32: 5 } as const;
const key = (field: number, type: number): number[] => varint(field * 8 + type);

const doubles = (values: ArrayLike<number>): Uint8Array => {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  for (let i = 0; i < values.length; i++) view.setFloat64(8 * i, values[i]!, true);
  return new Uint8Array(view.buffer);
};
const double = (field: number, value: number): Uint8Array => join(key(field, wire.bytes64), doubles([value]));
const float = (field: number, value: number): Uint8Array => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value, true);
  return join(key(field, wire.bytes32), new Uint8Array(view.buffer));
};
const integer = (field: number, value: number): Uint8Array => Uint8Array.from([...key(field, wire.varint), ...varint(value)]);
const bytes = (field: number, data: Uint8Array): Uint8Array => join(key(field, wire.bytes), varint(data.length), data);
const text = (field: number, value: string): Uint8Array => bytes(field, new TextEncoder().encode(value));

function join(...parts: ArrayLike<number>[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

const event = (seconds: number, step: number, content: Uint8Array): Uint8Array =>
  frame(join(double(1, seconds), step ? integer(2, step) : [], content));

/** The record that every file begins with. */
export const versionRecord = (seconds: number): Uint8Array => event(seconds, 0, text(3, 'brain.Event:2'));

/** Tells TensorBoard to forget what other files of the folder hold from `step` on: a run was resumed there. */
export const restartRecord = (seconds: number, step: number): Uint8Array => event(seconds, step, bytes(7, integer(1, 1)));

export const scalarsRecord = (seconds: number, step: number, scalars: Readonly<Record<string, number>>): Uint8Array =>
  event(seconds, step, bytes(5, join(...Object.entries(scalars).map(([tag, value]) => bytes(1, join(text(1, tag), float(2, value)))))));

const bucketCount = 30;

/** Values in buckets of equal width; those that are no finite numbers are left out. */
export function histogramRecord(seconds: number, step: number, tag: string, values: ArrayLike<number>): Uint8Array {
  let [low, high, count, sum, squares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
    count++;
    sum += value;
    squares += value * value;
  }
  if (count === 0) [low, high] = [0, 0];
  const width = (high - low) / bucketCount || 1;
  const buckets = new Float64Array(bucketCount);
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i]!)) buckets[Math.min(bucketCount - 1, Math.floor((values[i]! - low) / width))]!++;
  }
  const limits = buckets.map((_, i) => (i === bucketCount - 1 ? Math.max(high, low + width * bucketCount) : low + width * (i + 1)));
  const histogram = join(
    double(1, low),
    double(2, high),
    double(3, count),
    double(4, sum),
    double(5, squares),
    bytes(6, doubles(limits)),
    bytes(7, doubles(buckets)),
  );
  return event(seconds, step, bytes(5, bytes(1, join(text(1, tag), bytes(5, histogram)))));
}
