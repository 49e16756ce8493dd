// Scratch for chunks that run at the same time: a chunk borrows a slot and gives it back, so that the scratch is as
// large as the number of threads asks, not the number of chunks, and stays warm in the cache of the thread that used it
// last. Which slot a chunk gets never touches its result.
#pragma once
#include "../kernel.h"

namespace pollux {
namespace {

constexpr int kMostSlots = 32;

class ScratchSlots {
 public:
  ScratchSlots(float* base, int64_t slot_floats, int64_t chunks)
      : base_(base), slot_floats_(slot_floats), free_(count(chunks) == 64 ? ~0ull : (1ull << count(chunks)) - 1) {}

  // How many slots the scratch of `chunks` chunks has.
  static int64_t count(int64_t chunks) { return min64(max64(chunks, 1), kMostSlots); }

  // Waits while more threads than slots are at work: whoever holds a slot waits for nobody.
  float* borrow() {
    for (;;) {
      uint64_t free = __atomic_load_n(&free_, __ATOMIC_RELAXED);
      while (free) {
        const uint64_t lowest = free & (~free + 1);
        if (__atomic_compare_exchange_n(&free_, &free, free ^ lowest, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
          return base_ + slot_floats_ * __builtin_ctzll(lowest);
        }
      }
    }
  }
  void give_back(const float* slot) {
    const uint64_t bit = 1ull << (slot_floats_ ? (slot - base_) / slot_floats_ : 0);
    __atomic_fetch_or(&free_, bit, __ATOMIC_RELEASE);
  }

 private:
  float* base_;
  int64_t slot_floats_;
  uint64_t free_;
};

}  // namespace
}  // namespace pollux
