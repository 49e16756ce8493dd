// Scratch for chunks that run at the same time: a chunk borrows a slot and gives it back, so that the scratch is as
// large as the number of threads asks, not the number of chunks, and stays warm in the cache of the thread that used it
// last. Which slot a chunk gets never touches its result.
#pragma once
#include "../kernel.h"
#include "../threads.h"

namespace pollux {
namespace {

// How many slots a step has, and how large they are: fixed when it is prepared, since its scratch is laid out then.
struct SlotPlan {
  int64_t slot_floats;
  int64_t count;
  int64_t floats() const { return slot_floats * count; }
};

inline SlotPlan plan_slots(int64_t slot_floats, int64_t chunks) {
  constexpr int64_t most = 64;  // bits of a word
  return {slot_floats, min64(max64(chunks, 1), min64(host_threads(), most))};
}

class ScratchSlots {
 public:
  ScratchSlots(float* base, const SlotPlan& plan)
      : base_(base), slot_floats_(plan.slot_floats), free_(plan.count == 64 ? ~0ull : (1ull << plan.count) - 1) {}

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
