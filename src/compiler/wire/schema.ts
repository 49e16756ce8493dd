/**
 * The schema of an encoded plan: the encoder reads it, and the C++ reader (native/runtime/plan_wire.h) is generated
 * from it. Little-endian. A plan is a header followed by sections; a section is an array of one kind of record.
 * References between records are indices, references to text are byte offsets into `strings`.
 */
export type FieldType = 'u32' | 'i32' | 'u64' | 'i64' | 'f64';
export type Fields = { readonly [name: string]: FieldType };

/** Raise it with every change below. */
export const wireVersion = 3;
/** "POLLUXPL", read as a little-endian number. */
export const wireMagic = 0x4c5058554c4c4f50n;
/** A text that is absent. */
export const noText = 0xffffffff;
/** A reference to nothing: a step that is no loop, a move without a place of its own at first. */
export const noIndex = 0xffffffff;

/** `moving`: in a loop, where the move that `location_index` names puts it, `offset` bytes further on. */
export const locationKinds = ['arena', 'binding', 'result', 'constant', 'moving'] as const;
export const bindingKinds = ['input', 'state'] as const;
export const queues = ['compute', 'copy', 'communicate'] as const;
export const commitFlag = 1;
/** The step carries an elementwise program, which may have no instructions (a copy). */
export const programFlag = 2;
/** The step may write to state ahead of the commit phase: what it overwrites is not in use. */
export const appendFlag = 4;

/** Field names are C++ names. Fields keep their natural alignment; records are padded to 8 bytes. */
export const records = {
  Binding: { bytes: 'u64', kind: 'u32', padding: 'u32' },
  Result: { bytes: 'u64' },
  /** Shape, then strides in elements: `rank` entries each, in `integers` from `shape` on. */
  Tensor: { dtype: 'u32', rank: 'u32', shape: 'u64', location_kind: 'u32', location_index: 'u32', offset: 'u64' },
  /** A text, or `count` entries of `numbers`. */
  Attribute: { name: 'u32', text: 'u32', numbers: 'u64', count: 'u64' },
  Instruction: { op: 'u32', dtype: 'u32', source_count: 'u32', source0: 'i32', source1: 'i32', source2: 'i32', immediate: 'f64' },
  /** `operands` (inputs, then outputs), `stored` and `waits` are runs of `integers`. */
  Step: {
    kernel: 'u32',
    label: 'u32',
    operands: 'u64',
    input_count: 'u32',
    output_count: 'u32',
    attributes: 'u64',
    instructions: 'u64',
    attribute_count: 'u32',
    instruction_count: 'u32',
    stored: 'u64',
    waits: 'u64',
    wait_count: 'u32',
    flags: 'u32',
    queue: 'u32',
    loop: 'u32',
    /** Of all iterations, if the step lies in a loop. */
    flops: 'f64',
    bytes: 'f64',
  },
  /** The step that names it calls no kernel: the next `steps` steps run `length` times. Loops nest. */
  Loop: { length: 'u64', steps: 'u32', padding: 'u32' },
  /**
   * How an address changes with the iteration i of a loop. At i = 0 it is that of the tensor `first`, if there is one; otherwise that
   * of `even` or `odd`, as i is, plus start + i * stride bytes. These tensors lie still, or move with an outer loop.
   */
  Move: { loop: 'u32', first: 'u32', even: 'u32', odd: 'u32', start: 'i64', stride: 'i64' },
} as const satisfies { [record: string]: Fields };

export type RecordName = keyof typeof records;

/** What each section holds. Plain arrays: `u8`, `i64`, `f64`. Constants come last: they are dropped after the upload. */
export const sections = {
  bindings: 'Binding',
  results: 'Result',
  tensors: 'Tensor',
  attributes: 'Attribute',
  instructions: 'Instruction',
  steps: 'Step',
  loops: 'Loop',
  moves: 'Move',
  integers: 'i64',
  numbers: 'f64',
  strings: 'u8',
  constants: 'u8',
} as const satisfies { [section: string]: RecordName | 'u8' | 'i64' | 'f64' };

export type SectionName = keyof typeof sections;
export const sectionNames = Object.keys(sections) as SectionName[];

/** Every section begins at a multiple of this. */
export const sectionAlignment = 64;

const fieldBytes: Record<FieldType, number> = { u32: 4, i32: 4, u64: 8, i64: 8, f64: 8 };
const plainBytes = { u8: 1, i64: 8, f64: 8 };

export interface Layout {
  readonly fields: readonly { readonly name: string; readonly type: FieldType; readonly offset: number }[];
  readonly bytes: number;
}

/** Where each field of a record lies. */
export function layoutOf(fields: Fields): Layout {
  let offset = 0;
  const placed = Object.entries(fields).map(([name, type]) => {
    const bytes = fieldBytes[type];
    offset = Math.ceil(offset / bytes) * bytes;
    const field = { name, type, offset };
    offset += bytes;
    return field;
  });
  return { fields: placed, bytes: Math.ceil(offset / 8) * 8 };
}

export const layouts = Object.fromEntries(Object.entries(records).map(([name, fields]) => [name, layoutOf(fields)])) as Record<
  RecordName,
  Layout
>;

export function elementBytes(section: SectionName): number {
  const kind = sections[section];
  return kind in plainBytes ? plainBytes[kind as keyof typeof plainBytes] : layouts[kind as RecordName].bytes;
}

/** Header: magic, version, header bytes, total bytes, arena bytes, then offset and count of each section. */
export const header = layoutOf({
  magic: 'u64',
  version: 'u32',
  header_bytes: 'u32',
  total_bytes: 'u64',
  arena_bytes: 'u64',
  ...Object.fromEntries(
    sectionNames.flatMap(
      (name) =>
        [
          [`${name}_offset`, 'u64'],
          [`${name}_count`, 'u64'],
        ] as const,
    ),
  ),
});
