import { dtypes } from '../../graph/dtype.js';
import type { Attribute } from '../../graph/op.js';
import { atOnce } from '../slices.js';
import type { PlanDescription, StepDescription } from './description.js';
import {
  appendFlag,
  bindingKinds,
  commitFlag,
  elementBytes,
  header,
  layouts,
  locationKinds,
  noIndex,
  noText,
  programFlag,
  queues,
  sectionAlignment,
  sectionNames,
  sections,
  wireMagic,
  wireVersion,
  type Layout,
  type RecordName,
  type SectionName,
} from './schema.js';

type Row = { readonly [field: string]: number | bigint };

/** Collects the sections of one plan; a run of numbers is referred to by the index of its first. */
class Sections {
  readonly rows: Record<RecordName, Row[]> = {
    Binding: [],
    Result: [],
    Tensor: [],
    Attribute: [],
    Instruction: [],
    Step: [],
    Loop: [],
    Move: [],
  };
  readonly integers: number[] = [];
  readonly numbers: number[] = [];
  readonly #text: string[] = [];
  #textBytes = 0;
  readonly #offsets = new Map<string, number>();

  integersOf(values: readonly number[]): number {
    const first = this.integers.length;
    for (const value of values) this.integers.push(value);
    return first;
  }

  numbersOf(values: readonly number[]): number {
    const first = this.numbers.length;
    for (const value of values) this.numbers.push(value);
    return first;
  }

  /** Byte offset of a text, each kept once and ended by a NUL. */
  text(value: string): number {
    let offset = this.#offsets.get(value);
    if (offset === undefined) {
      offset = this.#textBytes;
      const clean = value.replaceAll('\0', ' ');
      this.#offsets.set(value, offset);
      this.#text.push(clean);
      this.#textBytes += Buffer.byteLength(clean) + 1;
    }
    return offset;
  }

  strings(): Uint8Array {
    return Buffer.from(this.#text.map((text) => `${text}\0`).join(''));
  }
}

function attributeRow(into: Sections, name: string, value: Attribute): Row {
  if (typeof value === 'string') return { name: into.text(name), text: into.text(value), numbers: 0, count: 0 };
  const numbers = typeof value === 'object' ? value : [Number(value)];
  return { name: into.text(name), text: noText, numbers: into.numbersOf(numbers), count: numbers.length };
}

function addStep(into: Sections, step: StepDescription): void {
  const { Attribute: attributes, Instruction: instructions, Step: steps } = into.rows;
  const names = Object.keys(step.attributes);
  const program = step.program;
  steps.push({
    kernel: into.text(step.kernel),
    label: into.text(step.label),
    operands: into.integersOf([...step.inputs, ...step.outputs]),
    input_count: step.inputs.length,
    output_count: step.outputs.length,
    attributes: attributes.length,
    attribute_count: names.length,
    instructions: instructions.length,
    instruction_count: program?.instructions.length ?? 0,
    stored: program ? into.integersOf(program.stored) : 0,
    waits: into.integersOf(step.waits),
    wait_count: step.waits.length,
    flags: (step.commit ? commitFlag : 0) | (program ? programFlag : 0) | (step.append ? appendFlag : 0),
    queue: queues.indexOf(step.queue),
    loop: step.loop ?? noIndex,
    flops: step.flops,
    bytes: step.bytes,
  });
  for (const name of names) attributes.push(attributeRow(into, name, step.attributes[name]!));
  for (const { op, dtype, sources, immediate = 0 } of program?.instructions ?? []) {
    instructions.push({
      op: into.text(op),
      dtype: dtypes.indexOf(dtype),
      source_count: sources.length,
      source0: sources[0] ?? 0,
      source1: sources[1] ?? 0,
      source2: sources[2] ?? 0,
      immediate,
    });
  }
}

function* collect(plan: PlanDescription, due: () => boolean): Generator<void, Sections> {
  const into = new Sections();
  const { Binding, Result, Tensor } = into.rows;
  for (const { bytes, kind } of plan.bindings) Binding.push({ bytes, kind: bindingKinds.indexOf(kind) });
  for (const { bytes } of plan.results) Result.push({ bytes });
  for (const { dtype, shape, strides, location } of plan.tensors) {
    if (due()) yield;
    Tensor.push({
      dtype: dtypes.indexOf(dtype),
      rank: shape.length,
      shape: into.integersOf([...shape, ...strides]),
      location_kind: locationKinds.indexOf(location.kind),
      location_index: location.index,
      offset: location.offset,
    });
  }
  for (const step of plan.steps) {
    if (due()) yield;
    addStep(into, step);
  }
  for (const { length, steps } of plan.loops ?? []) into.rows.Loop.push({ length, steps });
  for (const { loop, first = noIndex, even, odd, start, stride } of plan.moves ?? []) {
    into.rows.Move.push({ loop, first, even, odd, start, stride });
  }
  return into;
}

function writeRow(view: DataView, at: number, layout: Layout, row: Row): void {
  for (const { name, type, offset } of layout.fields) {
    const value = row[name] ?? 0;
    if (type === 'u32') view.setUint32(at + offset, Number(value), true);
    else if (type === 'i32') view.setInt32(at + offset, Number(value), true);
    else if (type === 'f64') view.setFloat64(at + offset, Number(value), true);
    else if (type === 'i64') view.setBigInt64(at + offset, BigInt(value), true);
    else view.setBigUint64(at + offset, BigInt(value), true);
  }
}

/** The plan as one ArrayBuffer, which `Device.load` takes. It is checked there, by whoever has to trust it. */
export const encodePlan = (description: PlanDescription): ArrayBuffer => atOnce((due) => encodeInSlices(description, due));

/** The same, yielding when `due()` says so. */
export function* encodeInSlices(description: PlanDescription, due: () => boolean): Generator<void, ArrayBuffer> {
  const collected = yield* collect(description, due);
  const plain: Partial<Record<SectionName, Uint8Array>> = {
    integers: new Uint8Array(BigInt64Array.from(collected.integers, BigInt).buffer),
    numbers: new Uint8Array(Float64Array.from(collected.numbers).buffer),
    strings: collected.strings(),
    constants: description.constants,
  };
  const place: { section: SectionName; offset: number; count: number }[] = [];
  let bytes = header.bytes;
  for (const section of sectionNames) {
    const count = plain[section] ? plain[section].length / elementBytes(section) : collected.rows[sections[section] as RecordName].length;
    bytes = Math.ceil(bytes / sectionAlignment) * sectionAlignment;
    place.push({ section, offset: bytes, count });
    bytes += count * elementBytes(section);
  }

  const wire = new ArrayBuffer(bytes);
  const view = new DataView(wire);
  const head: Record<string, number | bigint> = {
    magic: wireMagic,
    version: wireVersion,
    header_bytes: header.bytes,
    total_bytes: bytes,
    arena_bytes: description.arenaBytes,
  };
  for (const { section, offset, count } of place) {
    head[`${section}_offset`] = offset;
    head[`${section}_count`] = count;
    const data = plain[section];
    if (data) {
      new Uint8Array(wire).set(data, offset);
    } else {
      const name = sections[section] as RecordName;
      for (const [i, row] of collected.rows[name].entries()) {
        if (due()) yield;
        writeRow(view, offset + i * layouts[name].bytes, layouts[name], row);
      }
    }
  }
  writeRow(view, 0, header, head);
  return wire;
}
