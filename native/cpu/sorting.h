// What sort and topK share: numbers as unsigned keys that order as the numbers do, and a stable radix sort of them. A
// stable order is unique, so its bits depend neither on the algorithm nor on how the work is cut.
#pragma once
#include "kernel.h"

namespace pollux {
namespace {

/// A key and the place that it came from. Entries order by key, equal keys by place.
template <typename Key>
struct Entry {
  Key key;
  int32_t place;
};

template <typename Key>
inline bool before(const Entry<Key>& a, const Entry<Key>& b) {
  return a.key < b.key || (a.key == b.key && a.place < b.place);
}

/// NaN is greater than every number, and -0 equals 0.
struct FloatKeys {
  using Element = float;
  using Key = uint32_t;
  static Key of(float x) {
    if (x != x) return ~Key{0};
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x == 0) bits = 0;
    return bits >> 31 ? ~bits : bits | 0x80000000u;
  }
};

struct IntKeys {
  using Element = int32_t;
  using Key = uint32_t;
  static Key of(int32_t x) { return static_cast<uint32_t>(x) ^ 0x80000000u; }
};

struct LongKeys {
  using Element = int64_t;
  using Key = uint64_t;
  static Key of(int64_t x) { return static_cast<uint64_t>(x) ^ 0x8000000000000000u; }
};

constexpr int digit_bits = 8;
constexpr int64_t digit_values = 1 << digit_bits;
constexpr int64_t insertion_length = 48;  // rows up to this length are sorted by insertion

/// Sorts one row of entries. `other` holds as many; `counts` chunks.count * 256 numbers. The result lies in the array
/// that is returned. More than one chunk only where no other region runs.
template <typename Key>
inline Entry<Key>* sort_entries(const RunContext& context, const Chunks& chunks, Entry<Key>* entries, Entry<Key>* other,
                                int32_t* counts) {
  const int64_t n = chunks.total;
  if (n <= insertion_length) {
    for (int64_t i = 1; i < n; ++i) {
      const Entry<Key> entry = entries[i];
      int64_t j = i;
      for (; j > 0 && entry.key < entries[j - 1].key; --j) entries[j] = entries[j - 1];
      entries[j] = entry;
    }
    return entries;
  }
  for (int shift = 0; shift < static_cast<int>(8 * sizeof(Key)); shift += digit_bits) {
    const auto digit_of = [shift](const Entry<Key>& e) { return (e.key >> shift) & (digit_values - 1); };
    parallel(context, chunks.count, [&](int64_t chunk) {
      int32_t* count = counts + chunk * digit_values;
      memset(count, 0, digit_values * sizeof *count);
      for (int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) ++count[digit_of(entries[i])];
    });
    // Where the entries of each chunk with each digit begin; a digit that all entries share moves nothing.
    int32_t place = 0;
    bool moves = true;
    for (int64_t digit = 0; digit < digit_values; ++digit) {
      const int32_t from = place;
      for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
        int32_t& count = counts[chunk * digit_values + digit];
        const int32_t here = count;
        count = place;
        place += here;
      }
      if (place - from == n) moves = false;
    }
    if (!moves) continue;
    parallel(context, chunks.count, [&](int64_t chunk) {
      int32_t* next = counts + chunk * digit_values;
      for (int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i)
        other[next[digit_of(entries[i])]++] = entries[i];
    });
    Entry<Key>* const sorted = other;
    other = entries;
    entries = sorted;
  }
  return entries;
}

/// How rows are sorted: short ones side by side, long ones one after the other, each by all threads.
struct RowSort {
  int64_t rows, length;
  Chunks rows_chunks;  // of rows
  Chunks within;       // of one row
  int64_t slot_bytes;  // of scratch for each chunk of rows
};

constexpr int64_t long_row = 65536;

inline RowSort plan_sort(const PolluxOperand& x, int64_t entry_bytes) {
  RowSort p = {};
  p.length = x.rank ? x.shape[x.rank - 1] : 1;
  p.rows = p.length ? element_count(x) / p.length : 0;
  const bool is_long = p.length >= long_row;
  p.rows_chunks = plan_chunks(p.rows, is_long ? p.rows : ceil_div(2048, max64(1, p.length)), 16);
  p.within = is_long ? plan_chunks(p.length, 16384, 16) : Chunks{p.length, p.length, 1};
  p.slot_bytes =
      round_up(2 * p.length * entry_bytes + p.within.count * digit_values * static_cast<int64_t>(sizeof(int32_t)), 64);
  return p;
}

/// The sorted entries of one row, in the chunk's slot of scratch. Descending keys are complements, which keeps equal
/// elements in their order.
template <typename Keys>
inline const Entry<typename Keys::Key>* sort_row(const RunContext& context, const RowSort& p, int64_t chunk,
                                                 const typename Keys::Element* row, bool descending) {
  using Key = typename Keys::Key;
  auto* entries = reinterpret_cast<Entry<Key>*>(static_cast<char*>(context.scratch) + chunk * p.slot_bytes);
  auto* other = entries + p.length;
  auto* counts = reinterpret_cast<int32_t*>(other + p.length);
  const Key flip = descending ? ~Key{0} : Key{0};
  parallel(context, p.within.count, [&](int64_t part) {
    for (int64_t i = p.within.begin(part); i < p.within.end(part); ++i)
      entries[i] = {static_cast<Key>(Keys::of(row[i]) ^ flip), static_cast<int32_t>(i)};
  });
  return sort_entries(context, p.within, entries, other, counts);
}

/// Prepares `run<Keys>` for the dtype of the first input.
template <template <typename> class Runner>
inline PolluxResult choose_keys(int32_t dtype, Prepared* prepared) {
  if (dtype == POLLUX_FLOAT32)
    prepared->run = Runner<FloatKeys>::run;
  else if (dtype == POLLUX_INT32)
    prepared->run = Runner<IntKeys>::run;
  else if (dtype == POLLUX_INT64)
    prepared->run = Runner<LongKeys>::run;
  else
    return POLLUX_UNSUPPORTED;
  return POLLUX_SUCCESS;
}

constexpr int64_t entry_bytes(int32_t dtype) {
  return dtype == POLLUX_INT64 ? sizeof(Entry<uint64_t>) : sizeof(Entry<uint32_t>);
}

}  // namespace
}  // namespace pollux
