/** Which elements of a buffer a value is: strides and offset in elements, as NumPy has them. */
export interface Layout {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis]!;
  }
  return strides;
}

export const contiguous = (shape: readonly number[]): Layout => ({ shape, strides: contiguousStrides(shape), offset: 0 });

/** Row-major without gaps; the strides of axes of size 1 do not matter, nor those of an empty value. */
export function isContiguous({ shape, strides }: Layout): boolean {
  if (shape.includes(0)) return true;
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis]!;
    if (size !== 1 && strides[axis] !== step) return false;
    step *= size;
  }
  return true;
}

/** Row-major but for a swap of the last two axes; leading axes have any stride. */
export function isMatrix({ shape, strides }: Layout): boolean {
  const rank = shape.length;
  if (rank < 2) return rank === 0 || shape[0]! <= 1 || strides[0] === 1;
  const [rows, columns] = [shape[rank - 2]!, shape[rank - 1]!];
  const [down, across] = [strides[rank - 2]!, strides[rank - 1]!];
  if (rows <= 1 && columns <= 1) return true;
  const byRows = (columns <= 1 || across === 1) && (rows <= 1 || down === columns);
  const byColumns = (rows <= 1 || down === 1) && (columns <= 1 || across === rows);
  return byRows || byColumns;
}

export const transposed = (layout: Layout, axes: readonly number[]): Layout => ({
  shape: axes.map((axis) => layout.shape[axis]!),
  strides: axes.map((axis) => layout.strides[axis]!),
  offset: layout.offset,
});

export function broadcasted(layout: Layout, shape: readonly number[]): Layout {
  const added = shape.length - layout.shape.length;
  const strides = shape.map((size, axis) =>
    axis < added || (layout.shape[axis - added] === 1 && size !== 1) ? 0 : layout.strides[axis - added]!,
  );
  return { shape, strides, offset: layout.offset };
}

export function sliced(layout: Layout, start: readonly number[], step: readonly number[], shape: readonly number[]): Layout {
  let { offset } = layout;
  // The start of an empty slice may lie behind the last element.
  if (!shape.includes(0))
    layout.strides.forEach((stride, axis) => {
      offset += stride * start[axis]!;
    });
  return { shape, strides: layout.strides.map((stride, axis) => stride * step[axis]!), offset };
}

export function flipped(layout: Layout, axes: readonly number[]): Layout {
  let { offset } = layout;
  const strides = [...layout.strides];
  for (const axis of axes) {
    offset += Math.max(0, layout.shape[axis]! - 1) * strides[axis]!;
    strides[axis] = -strides[axis]!;
  }
  return { shape: layout.shape, strides, offset };
}

/**
 * The layout in another shape, if strides can express it; otherwise undefined, and the value must be copied first.
 * Axes are matched in groups of equal product; a group can be reshaped if its axes are evenly spaced.
 */
export function reshaped(layout: Layout, shape: readonly number[]): Layout | undefined {
  if (isContiguous(layout)) return { shape, strides: contiguousStrides(shape), offset: layout.offset };
  const old = layout.shape.map((size, axis) => ({ size, stride: layout.strides[axis]! })).filter(({ size }) => size !== 1);
  const strides = new Array<number>(shape.length).fill(0);
  let from = 0;
  let to = 0;
  while (from < old.length && to < shape.length) {
    let fromEnd = from + 1;
    let toEnd = to + 1;
    let fromSize = old[from]!.size;
    let toSize = shape[to]!;
    while (fromSize !== toSize) {
      if (fromSize < toSize) fromSize *= old[fromEnd++]!.size;
      else toSize *= shape[toEnd++]!;
    }
    for (let axis = from; axis < fromEnd - 1; axis++) {
      if (old[axis]!.stride !== old[axis + 1]!.stride * old[axis + 1]!.size) return undefined;
    }
    let stride = old[fromEnd - 1]!.stride;
    for (let axis = toEnd - 1; axis >= to; axis--) {
      strides[axis] = stride;
      stride *= shape[axis]!;
    }
    from = fromEnd;
    to = toEnd;
  }
  return { shape, strides, offset: layout.offset };
}
