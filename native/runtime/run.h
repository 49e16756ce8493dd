// One run of a plan.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "loaded_plan.h"

namespace pollux {

/// What a binding of a run is. Exactly one of the three.
struct BindingSource {
  std::shared_ptr<Buffer> buffer;  ///< device memory, borrowed
  bool staged = false;             ///< already copied to the run's slot
  const void* borrowed = nullptr;  ///< host memory that stays valid until the run settles (a SharedArrayBuffer)
};

/// A result: bytes if it is small, else a buffer.
struct RunOutput {
  std::vector<uint8_t> bytes;
  std::shared_ptr<Buffer> buffer;
};

enum class Outcome { done, failed, skipped, aborted, error };

class RunJob : public Job {
 public:
  RunJob(std::shared_ptr<LoadedPlan> plan, std::vector<BindingSource> sources, StagingSlot* slot);
  ~RunJob() override;

  void execute(bool nested) override;
  bool is_short() const override;
  const void* sequence() const override { return plan_.get(); }
  RunJob* as_run() override { return this; }

  const LoadedPlan& plan() const { return *plan_; }

  // Set before the run is submitted.
  uint32_t number = 0;  ///< the client's, for cancelling
  bool debug = false;
  bool profile = false;
  /// Looked at between steps, until the commit phase begins.
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);

  // Set by the run.
  Outcome outcome = Outcome::error;
  std::vector<RunOutput> results;
  PolluxStatus status{};
  int32_t operand = -1;                                       ///< with debug: the output at fault
  std::vector<std::unique_ptr<std::vector<uint8_t>>> inputs;  ///< of a failed run: copies of the host data, else null
  std::vector<double> step_nanoseconds;

 private:
  struct Memory;  // where everything of this run lies
  bool fail(const char* code, std::string text);
  bool begin(bool nested, Memory* memory);
  /// Whether the run goes on after a step; `over` is a run that ends here as it should.
  enum class Flow { on, over, broken };
  Flow run_steps(size_t begin, size_t end, bool nested, Memory* memory);
  Flow run_step(size_t i, bool nested, Memory* memory);
  bool scan_outputs(const PlanStep& step, Memory* memory);
  bool finish(Memory* memory);
  void* address(const PlanTensor& tensor, const Memory& memory) const;

  std::shared_ptr<LoadedPlan> plan_;
  std::vector<BindingSource> sources_;
  StagingSlot* slot_;
};

}  // namespace pollux
