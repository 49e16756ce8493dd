// scatterAdd and scatterAlong: x with updates added at indices. Each element of the output belongs to one task, which
// takes its updates in the order of the indices, so the order of additions is that of one thread.
#include "../indexing.h"

namespace pollux::POLLUX_LEVEL {
namespace {

// How scatterAdd is cut. Long slices are cut by columns, so that a token that many rows name burdens all threads alike;
// of short ones each task takes some places of the axis, with the list of updates that fall there.
struct Scatter {
  Indexing indexing;
  Chunks columns;      // of a slice; one chunk where it is not cut
  Chunks positions;    // of the indices, for the lists
  int64_t lists;       // into how many the updates of short slices are sorted; 0: not worth it
  int64_t neighbours;  // places that go to one list together: what shares cache lines
};

constexpr int64_t max_lists = 16;

inline Scatter plan_scatter(const PolluxStep& step) {
  Scatter s = {};
  Indexing& p = s.indexing;
  p = plan_indexing(step, false);
  const bool worthwhile = p.outer < 8 && p.outer * p.count * p.inner >= 65536;
  s.columns = plan_chunks(
      p.inner, worthwhile && p.inner >= 32 ? max64(16, round_up(ceil_div(p.inner, 16), 16)) : max64(1, p.inner));
  s.neighbours = ceil_div(128, max64(1, p.inner));
  if (worthwhile && p.inner < 32 && p.axis >= 2 * s.neighbours && p.count < INT32_MAX) s.lists = max_lists;
  s.positions = plan_chunks(p.count, 1024, max_lists);
  return s;
}

/// The place that an index names, -1 if there is none.
template <typename Index>
inline int64_t place_of(const Indexing& p, Index index) {
  const int64_t place = index < 0 ? index + p.axis : index;
  return place < p.axis ? max64(place, -1) : -1;
}

// Integers wrap: they are added unsigned.
template <typename T>
inline void add_slice(T* __restrict to, const T* __restrict update, int64_t count) {
  for (int64_t k = 0; k < count; ++k) to[k] += update[k];
}

/// The updates sorted by list, stably: first how many of each chunk of indices go to each list, then their numbers.
template <typename Index>
void sort_updates(const Prepared& prepared, const RunContext& context, const Index* indices, int64_t* start,
                  int32_t* order) {
  const Scatter& s = parameters<Scatter>(prepared);
  const Indexing& p = s.indexing;
  const int64_t chunks = s.positions.count;
  const auto list_of = [&](int64_t place) { return place / s.neighbours % s.lists; };
  parallel(context, chunks, [&](int64_t chunk) {
    int64_t count[max_lists] = {};
    for (int64_t i = s.positions.begin(chunk); i < s.positions.end(chunk); ++i) {
      const int64_t place = place_of(p, indices[i]);
      if (place < 0)
        report(prepared, context, POLLUX_INDEX_OUT_OF_RANGE, i, indices[i]);
      else
        ++count[list_of(place)];
    }
    for (int64_t list = 0; list < s.lists; ++list) start[list * chunks + chunk] = count[list];
  });
  int64_t total = 0;
  for (int64_t i = 0; i < s.lists * chunks; ++i) {
    const int64_t count = start[i];
    start[i] = total;
    total += count;
  }
  start[s.lists * chunks] = total;
  parallel(context, chunks, [&](int64_t chunk) {
    int64_t next[max_lists];
    for (int64_t list = 0; list < s.lists; ++list) next[list] = start[list * chunks + chunk];
    for (int64_t i = s.positions.begin(chunk); i < s.positions.end(chunk); ++i) {
      const int64_t place = place_of(p, indices[i]);
      if (place >= 0) order[next[list_of(place)]++] = static_cast<int32_t>(i);
    }
  });
}

template <typename T, typename Index>
void scatter_lists(const Prepared& prepared, const RunContext& context) {
  const Scatter& s = parameters<Scatter>(prepared);
  const Indexing& p = s.indexing;
  const T* x = input_data<T>(prepared, context, 0);
  const Index* indices = input_data<Index>(prepared, context, 1);
  const T* updates = input_data<T>(prepared, context, 2);
  T* y = output_data<T>(prepared, context, 0);
  int64_t* start = static_cast<int64_t*>(context.scratch);
  int32_t* order = reinterpret_cast<int32_t*>(start + s.lists * s.positions.count + 1);
  if (x != y) {
    const Chunks all = plan_chunks(p.outer * p.axis * p.inner, 1 << 16);
    parallel(context, all.count, [&](int64_t chunk) {
      memcpy(y + all.begin(chunk), x + all.begin(chunk),
             static_cast<size_t>(all.end(chunk) - all.begin(chunk)) * sizeof(T));
    });
  }
  sort_updates(prepared, context, indices, start, order);
  parallel(context, p.outer * s.lists, [&](int64_t task) {
    const int64_t outer = task / s.lists, list = task % s.lists;
    T* to = y + outer * p.axis * p.inner;
    const T* from = updates + outer * p.count * p.inner;
    for (int64_t at = start[list * s.positions.count]; at < start[(list + 1) * s.positions.count]; ++at)
      add_slice(to + place_of(p, indices[order[at]]) * p.inner, from + order[at] * p.inner, p.inner);
  });
}

template <typename T, typename Index>
void scatter_add(const Prepared& prepared, const RunContext& context) {
  const Scatter& s = parameters<Scatter>(prepared);
  const Indexing& p = s.indexing;
  // Both ways add in the order of the indices. Sorting costs about what one thread more brings.
  if (s.lists && context.host->threads(context.host->context) > 2) return scatter_lists<T, Index>(prepared, context);
  const T* x = input_data<T>(prepared, context, 0);
  const Index* indices = input_data<Index>(prepared, context, 1);
  const T* updates = input_data<T>(prepared, context, 2);
  T* y = output_data<T>(prepared, context, 0);
  const int64_t pieces = max64(1, s.columns.count);
  parallel(context, p.outer * pieces, [&](int64_t task) {
    const int64_t outer = task / pieces, piece = task % pieces;
    const int64_t begin = s.columns.begin(piece), width = s.columns.end(piece) - begin;
    T* to = y + outer * p.axis * p.inner + begin;
    const T* from = x + outer * p.axis * p.inner + begin;
    if (to != from && pieces == 1)
      memcpy(to, from, static_cast<size_t>(p.axis * p.inner) * sizeof(T));
    else if (to != from)
      for (int64_t place = 0; place < p.axis; ++place)
        memcpy(to + place * p.inner, from + place * p.inner, static_cast<size_t>(width) * sizeof(T));
    const T* update = updates + outer * p.count * p.inner + begin;
    for (int64_t i = 0; i < p.count; ++i, update += p.inner) {
      const int64_t place = place_of(p, indices[i]);
      if (place >= 0)
        add_slice(to + place * p.inner, update, width);
      else if (piece == 0)
        report(prepared, context, POLLUX_INDEX_OUT_OF_RANGE, i, indices[i]);
    }
  });
}

template <typename T, typename Index>
void scatter_along(const Prepared& prepared, const RunContext& context) {
  const Indexing& p = parameters<Indexing>(prepared);
  const T* x = input_data<T>(prepared, context, 0);
  const Index* indices = input_data<Index>(prepared, context, 1);
  const T* updates = input_data<T>(prepared, context, 2);
  T* y = output_data<T>(prepared, context, 0);
  const Chunks chunks = plan_chunks(p.outer, ceil_div(16384, max64(1, p.inner * max64(p.count, p.axis))));
  parallel(context, chunks.count, [&](int64_t chunk) {
    for (int64_t outer = chunks.begin(chunk); outer < chunks.end(chunk); ++outer) {
      T* to = y + outer * p.axis * p.inner;
      const T* from = x + outer * p.axis * p.inner;
      if (to != from) memcpy(to, from, static_cast<size_t>(p.axis * p.inner) * sizeof(T));
      for (int64_t e = outer * p.count * p.inner; e < (outer + 1) * p.count * p.inner; ++e) {
        const int64_t place = indices[e] < 0 ? indices[e] + p.axis : indices[e];
        if (place < 0 || place >= p.axis)
          report(prepared, context, POLLUX_INDEX_OUT_OF_RANGE, e, indices[e]);
        else
          to[place * p.inner + e % p.inner] += updates[e];
      }
    }
  });
}

template <bool along, typename T>
void choose(bool wide, Prepared* prepared) {
  if (along)
    prepared->run = wide ? scatter_along<T, int64_t> : scatter_along<T, int32_t>;
  else
    prepared->run = wide ? scatter_add<T, int64_t> : scatter_add<T, int32_t>;
}

template <bool along>
PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  if (along) {
    Indexing* p = make_parameters<Indexing>(prepared);
    if (!p) return POLLUX_OUT_OF_MEMORY;
    *p = plan_indexing(step, true);
  } else {
    Scatter* s = make_parameters<Scatter>(prepared);
    if (!s) return POLLUX_OUT_OF_MEMORY;
    *s = plan_scatter(step);
    if (s->lists)
      prepared->scratch_bytes = static_cast<uint64_t>(s->lists * s->positions.count + 1) * sizeof(int64_t) +
                                static_cast<uint64_t>(s->indexing.count) * sizeof(int32_t);
  }
  const bool wide = input(step, 1).dtype == POLLUX_INT64;
  switch (input(step, 0).dtype) {
    case POLLUX_FLOAT32:
      choose<along, float>(wide, prepared);
      return POLLUX_SUCCESS;
    case POLLUX_INT32:
      choose<along, uint32_t>(wide, prepared);
      return POLLUX_SUCCESS;
    case POLLUX_INT64:
      choose<along, uint64_t>(wide, prepared);
      return POLLUX_SUCCESS;
    default:
      return POLLUX_UNSUPPORTED;
  }
}

constexpr uint32_t computed = dtype_bit(POLLUX_FLOAT32) | dtype_bit(POLLUX_INT32) | dtype_bit(POLLUX_INT64);

const Kernel kernels[] = {{{"scatterAdd", computed, 0, nullptr}, prepare<false>},
                          {{"scatterAlong", computed, 0, nullptr}, prepare<true>}};

}  // namespace

extern const KernelTable scatter_kernels = {kernels, 2};

}  // namespace pollux::POLLUX_LEVEL
