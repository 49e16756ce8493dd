// sort and topK over the last axis, with the places that the elements came from. Both are stable: equal elements keep
// their order, whether ascending or descending.
#include "../sorting.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct Sorting {
  RowSort sort;
  int64_t kept;  // elements of a row that are asked for
  bool descending;
  bool selects;  // a heap of the kept elements costs less than sorting all
};

template <typename Keys>
void run_sort(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Sorting>(prepared);
  using Element = typename Keys::Element;
  const Element* x = input_data<Element>(prepared, context, 0);
  Element* values = output_data<Element>(prepared, context, 0);
  int32_t* places = output_data<int32_t>(prepared, context, 1);
  const int64_t length = p.sort.length, kept = p.kept;
  parallel(context, p.sort.rows_chunks.count, [&](int64_t chunk) {
    for (int64_t r = p.sort.rows_chunks.begin(chunk); r < p.sort.rows_chunks.end(chunk); ++r) {
      const Element* row = x + r * length;
      const auto* sorted = sort_row<Keys>(context, p.sort, chunk, row, p.descending);
      const Chunks copied = p.sort.within.count > 1 ? plan_chunks(kept, 16384, 16) : Chunks{kept, kept, 1};
      parallel(context, copied.count, [&](int64_t part) {
        for (int64_t i = copied.begin(part); i < copied.end(part); ++i) {
          values[r * kept + i] = row[sorted[i].place];
          places[r * kept + i] = sorted[i].place;
        }
      });
    }
  });
}

/// Restores the heap whose root is its last entry in order.
template <typename E>
inline void sink(E* heap, int64_t size, int64_t i) {
  const E entry = heap[i];
  for (int64_t child; (child = 2 * i + 1) < size; i = child) {
    if (child + 1 < size && before(heap[child], heap[child + 1])) ++child;
    if (!before(entry, heap[child])) break;
    heap[i] = heap[child];
  }
  heap[i] = entry;
}

template <typename Keys>
void run_select(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Sorting>(prepared);
  using Element = typename Keys::Element;
  using Key = typename Keys::Key;
  const Element* x = input_data<Element>(prepared, context, 0);
  Element* values = output_data<Element>(prepared, context, 0);
  int32_t* places = output_data<int32_t>(prepared, context, 1);
  const int64_t length = p.sort.length, kept = p.kept;
  const Key flip = p.descending ? ~Key{0} : Key{0};
  parallel(context, p.sort.rows_chunks.count, [&](int64_t chunk) {
    auto* heap = reinterpret_cast<Entry<Key>*>(static_cast<char*>(context.scratch) + chunk * p.sort.slot_bytes);
    for (int64_t r = p.sort.rows_chunks.begin(chunk); r < p.sort.rows_chunks.end(chunk); ++r) {
      const Element* row = x + r * length;
      for (int64_t i = 0; i < kept; ++i) heap[i] = {static_cast<Key>(Keys::of(row[i]) ^ flip), static_cast<int32_t>(i)};
      for (int64_t i = kept / 2; i-- > 0;) sink(heap, kept, i);
      for (int64_t i = kept; i < length; ++i) {
        const Key key = Keys::of(row[i]) ^ flip;
        if (key >= heap[0].key) continue;  // an equal one comes later, so it is not before the root
        heap[0] = {key, static_cast<int32_t>(i)};
        sink(heap, kept, 0);
      }
      for (int64_t size = kept; size-- > 0;) {  // the last in order goes to the end
        const int32_t place = heap[0].place;
        values[r * kept + size] = row[place];
        places[r * kept + size] = place;
        heap[0] = heap[size];
        sink(heap, size, 0);
      }
    }
  });
}

template <typename Keys>
struct Sorter {
  static constexpr auto run = run_sort<Keys>;
};
template <typename Keys>
struct Selector {
  static constexpr auto run = run_select<Keys>;
};

PolluxResult prepare_with(const PolluxStep& step, Prepared* prepared, int64_t kept, bool descending) {
  auto* p = make_parameters<Sorting>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand& x = input(step, 0);
  p->sort = plan_sort(x, entry_bytes(x.dtype));
  p->kept = kept;
  p->descending = descending;
  p->selects = kept > 0 && kept <= 1024 && kept <= p->sort.length / 8;
  if (p->selects) {
    p->sort.rows_chunks = plan_chunks(p->sort.rows, ceil_div(32768, p->sort.length));
    p->sort.slot_bytes = round_up(kept * entry_bytes(x.dtype), 64);
  }
  prepared->scratch_bytes = static_cast<uint64_t>(p->sort.rows_chunks.count * p->sort.slot_bytes);
  return p->selects ? choose_keys<Selector>(x.dtype, prepared) : choose_keys<Sorter>(x.dtype, prepared);
}

PolluxResult prepare_sort(const PolluxStep& step, Prepared* prepared) {
  const PolluxOperand& x = input(step, 0);
  return prepare_with(step, prepared, x.rank ? x.shape[x.rank - 1] : 1, boolean(step, "descending"));
}
PolluxResult prepare_top(const PolluxStep& step, Prepared* prepared) {
  return prepare_with(step, prepared, integer(step, "k"), boolean(step, "largest"));
}

constexpr uint32_t computed = dtype_bit(POLLUX_FLOAT32) | dtype_bit(POLLUX_INT32) | dtype_bit(POLLUX_INT64);

const Kernel kernels[] = {{{"sort", computed, 0, nullptr}, prepare_sort},
                          {{"topK", computed, 0, nullptr}, prepare_top}};

}  // namespace

extern const KernelTable sort_kernels = {kernels, 2};

}  // namespace pollux::POLLUX_LEVEL
