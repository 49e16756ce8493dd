import { formatName } from '../io/safetensors-header.js';
import { SafetensorsFile } from '../io/safetensors.js';
import { elementCount } from '../tensor/hostArray.js';
import { table } from '../table.js';

const grouped = (count: number): string => count.toLocaleString('en-US');

/** Bytes in the largest unit that leaves at least one: 512 B, 1.5 KiB, 3.2 MiB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}

/** Lists the tensors of a safetensors file: names, dtypes, shapes, parameters and bytes, by place in the file. */
export async function summarize(path: string): Promise<string> {
  await using file = await SafetensorsFile.open(path);
  const entries = [...file.tensors].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
  const rows = entries.map(([name, { dtype, shape, start, stop }]) => [
    name,
    formatName(dtype),
    `[${shape.join(', ')}]`,
    grouped(elementCount(shape)),
    formatBytes(stop - start),
  ]);
  const parameters = entries.reduce((sum, [, { shape }]) => sum + elementCount(shape), 0);
  const bytes = entries.reduce((sum, [, { start, stop }]) => sum + stop - start, 0);
  const count = `${rows.length} ${rows.length === 1 ? 'tensor' : 'tensors'}`;
  const metadata = Object.entries(file.metadata)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('');
  return (
    table(
      [['name', 'dtype', 'shape', 'parameters', 'bytes'], ...rows, [count, '', '', grouped(parameters), formatBytes(bytes)]],
      [false, false, false, true, true],
    ) + (metadata && `\n${metadata}`)
  );
}
