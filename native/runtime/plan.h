// A plan as the executor wants it: read from the wire, checked whole, with every pointer of every step in place.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "../backend.h"
#include "plan_wire.h"

namespace pollux {

/// Bytes of one element of a PolluxDtype.
uint64_t byte_size(int32_t dtype);

/// A tensor of a plan: its type, and where its element [0, 0, ...] lies.
struct PlanTensor {
  PolluxOperand operand;
  wire::LocationKind kind;
  uint32_t index;   ///< of the binding, the result, or the move
  uint64_t offset;  ///< in that memory; from where the move is
  int64_t lowest;   ///< bytes from `offset` to the lowest element, <= 0
  uint64_t extent;  ///< bytes from the lowest element to the end of the highest; 0 if there are no elements
};

struct PlanStep {
  PolluxStep step;                ///< as the backend sees it
  std::vector<uint32_t> tensors;  ///< inputs, then outputs
  bool commit;
  uint32_t loop;  ///< number of the loop that it stands for, else wire::no_index; a loop calls no kernel
};

/// How the address of some tensors changes with the iteration i: that of `first` at i = 0, if there is one; else that
/// of `even` or `odd`, as i is, and start + i * stride bytes further on.
struct PlanMove {
  uint32_t first, even, odd;
  int64_t start, stride;
  std::vector<uint32_t> tensors;  ///< those that move so
};

/// Steps that run `length` times.
struct PlanLoop {
  uint64_t length;
  size_t begin, end;  ///< its steps, those of loops inside it included
  uint32_t outer;     ///< the loop around it, else wire::no_index
  std::vector<PlanMove> moves;
};

/// An immutable plan. Every offset, index and extent in it has been checked against the memory that it refers to.
class Plan {
 public:
  struct Binding {
    uint64_t bytes;
    wire::BindingKind kind;
  };

  /// Reads an encoded plan. Returns null and says what is wrong with a buffer that is cut short, corrupt or
  /// inconsistent.
  static std::unique_ptr<Plan> read(const void* data, uint64_t bytes, std::string* error);

  uint64_t arena_bytes() const { return arena_bytes_; }
  const std::vector<Binding>& bindings() const { return bindings_; }
  const std::vector<uint64_t>& results() const { return results_; }  ///< bytes of each
  const std::vector<PlanTensor>& tensors() const { return tensors_; }
  const std::vector<PlanStep>& steps() const { return steps_; }
  const std::vector<PlanLoop>& loops() const { return loops_; }
  const std::vector<uint8_t>& constants() const { return constants_; }
  uint64_t constant_bytes() const { return constant_bytes_; }
  /// Called once the constants lie on the device.
  void drop_constants() { std::vector<uint8_t>().swap(constants_); }

  /// A rough estimate of one run on the CPU, for choosing where to run it.
  double estimated_microseconds() const { return estimated_microseconds_; }

 private:
  friend class PlanReader;
  uint64_t arena_bytes_ = 0;
  uint64_t constant_bytes_ = 0;
  double estimated_microseconds_ = 0;
  std::vector<Binding> bindings_;
  std::vector<uint64_t> results_;
  std::vector<PlanTensor> tensors_;
  std::vector<PlanStep> steps_;
  std::vector<PlanLoop> loops_;
  std::vector<uint8_t> constants_;
  // What the steps point to.
  std::vector<char> strings_;
  std::vector<double> numbers_;
  std::vector<PolluxOperand> operands_;
  std::vector<PolluxAttribute> attributes_;
  std::vector<PolluxInstruction> instructions_;
  std::vector<int32_t> stored_;
};

}  // namespace pollux
