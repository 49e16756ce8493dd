/* The narrow waist: what a backend ("twin") owes the runtime. A C ABI, versioned.
 *
 * A backend is a shared library that exports `pollux_backend`. It is opened on first use and never closed.
 * It knows nothing of JavaScript, plans or graphs: it describes its kernels, owns a device's memory, prepares
 * steps once, and enqueues prepared steps many times. All calls for one device come from one thread at a time.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POLLUX_ABI_VERSION 1
#define POLLUX_MAX_RANK 8

/* The order of src/graph/dtype.ts; a test compares them. */
typedef enum PolluxDtype {
  POLLUX_FLOAT32 = 0,
  POLLUX_BFLOAT16,
  POLLUX_FLOAT16,
  POLLUX_INT8,
  POLLUX_UINT8,
  POLLUX_INT32,
  POLLUX_INT64,
  POLLUX_BOOL,
  POLLUX_DTYPE_COUNT
} PolluxDtype;

/* Static description of one operand. Strides are in elements, may be 0 (broadcast) or negative (flip); the data
 * pointer that arrives at enqueue() already points at element [0, 0, ...]. Outputs never overlap themselves. */
typedef struct PolluxOperand {
  int32_t dtype;
  int32_t rank;
  int64_t shape[POLLUX_MAX_RANK];
  int64_t stride[POLLUX_MAX_RANK];
} PolluxOperand;

/* A declared attribute of the op: numbers (booleans are 0 or 1), or a text. */
typedef struct PolluxAttribute {
  const char* name;
  const char* text; /* NULL for numbers */
  int32_t count;
  const double* numbers;
} PolluxAttribute;

/* One instruction of an elementwise program, in SSA form. Values 0 .. input_count-1 are the loaded inputs of the step;
 * instruction i defines value input_count + i. `constant` takes no source and yields `immediate`; `cast` converts its
 * source to `dtype`; `store` values are listed apart (PolluxStep.stored). `dtype` is that of the value defined. */
typedef struct PolluxInstruction {
  const char* op;
  int32_t dtype;
  int32_t source_count;
  int32_t source[3];
  double immediate;
} PolluxInstruction;

enum { POLLUX_STEP_COMMIT = 1 /* overwrites state: must do nothing when the status word is set */ };

/* One step of a plan. Everything it points to lives as long as the prepared step. */
typedef struct PolluxStep {
  const char* kernel;
  const char* label; /* where it came from, for messages */
  int32_t input_count;
  int32_t output_count;
  const PolluxOperand* operands; /* inputs, then outputs */
  int32_t attribute_count;
  const PolluxAttribute* attributes;
  int32_t instruction_count; /* kernel "elementwise" only */
  const PolluxInstruction* instructions;
  const int32_t* stored; /* value stored to each output, output_count entries */
  uint32_t flags;
  int32_t index; /* position in the plan, written to the status word on failure */
} PolluxStep;

/* Lives in device memory, zeroed before each run. The first failure wins. Codes: see PolluxStatusCode. */
typedef struct PolluxStatus {
  int64_t code;
  int64_t step;
  int64_t element; /* row-major index in the offending operand */
  int64_t detail;  /* e.g. the label that lies outside the classes */
} PolluxStatus;

typedef enum PolluxStatusCode {
  POLLUX_OK = 0,
  POLLUX_NOT_FINITE = 1,
  POLLUX_LABEL_OUT_OF_RANGE = 2,
  POLLUX_INDEX_OUT_OF_RANGE = 3,
  POLLUX_CANCELLED = 4,
  POLLUX_CAPACITY_EXCEEDED = 5
} PolluxStatusCode;

typedef enum PolluxResult {
  POLLUX_SUCCESS = 0,
  POLLUX_UNSUPPORTED = 1,
  POLLUX_OUT_OF_MEMORY = 2,
  POLLUX_NO_DEVICE = 3,
  POLLUX_FAILED = 4
} PolluxResult;

enum { /* how strided the inputs of a kernel may be; outputs are contiguous unless POLLUX_STRIDED_OUTPUTS */
       POLLUX_STRIDED_INPUTS = 1, /* any strides */
       POLLUX_MATRIX_INPUTS = 2,  /* the last two axes may be swapped, leading axes may have any stride */
       POLLUX_STRIDED_OUTPUTS = 4
};

/* One row of the table that says what the backend can do. Kernels are named as the ops are. */
typedef struct PolluxKernelInfo {
  const char* name;
  uint32_t dtypes; /* bit d: accepts PolluxDtype d as dtype of its first input (of its output, if it has no input) */
  uint32_t features;
  const char* fusions; /* ";"-separated, see docs/internals.md; NULL for none */
} PolluxKernelInfo;

enum { /* of a whole backend */
       /* allocate() gives memory that the host may read and write, and every call below has finished when it returns.
        * The runtime then saves a staging copy, runs tiny plans on the calling thread and lets short plans in between.
        */
       POLLUX_HOST_MEMORY = 1
};

typedef struct PolluxDescription {
  const char* name;  /* "cpu", "cuda" */
  const char* level; /* instruction set or architecture, e.g. "avx512" */
  int32_t kernel_count;
  const PolluxKernelInfo* kernels;
  int32_t instruction_count; /* elementwise instructions: name and dtypes of the value defined */
  const PolluxKernelInfo* instructions;
  uint32_t features; /* POLLUX_HOST_MEMORY or 0 */
} PolluxDescription;

/* What the runtime lends a backend. Lives as long as the process. */
typedef struct PolluxHost {
  uint32_t abi_version;
  void* context;
  /* Calls work(argument, i) once for each i in [0, chunks), on any threads of the pool, and returns when all are done.
   * Chunks are cut by shape alone, never by the number of threads: so results have the same bits on any number. */
  void (*parallel)(void* context, int32_t chunks, void (*work)(void* argument, int32_t chunk), void* argument);
  int32_t (*threads)(void* context);
} PolluxHost;

typedef struct PolluxDevice PolluxDevice;
typedef struct PolluxPrepared PolluxPrepared;

typedef struct PolluxBackend {
  uint32_t abi_version;

  /* Number of devices; 0 with the reason and the remedy in `reason`. */
  int32_t (*device_count)(char* reason, size_t reason_size);
  PolluxResult (*open)(const PolluxHost* host, int32_t index, PolluxDevice** device, char* error, size_t error_size);
  const PolluxDescription* (*describe)(PolluxDevice*);

  /* Memory of the device, aligned to 64 bytes at least. The host may not be able to read it. These two alone may be
   * called by any thread at any time, beside any other call. */
  void* (*allocate)(PolluxDevice*, uint64_t bytes); /* NULL: out of memory */
  void (*release)(PolluxDevice*, void* memory, uint64_t bytes);

  /* A promise made by describe() is kept: prepare() fails only for memory. Scratch is laid out by the runtime. */
  PolluxResult (*prepare)(PolluxDevice*, const PolluxStep*, PolluxPrepared** prepared, uint64_t* scratch_bytes,
                          char* error, size_t error_size);
  void (*discard)(PolluxDevice*, PolluxPrepared*);

  /* Work is queued in order; nothing but synchronize() waits. A synchronous backend may run it before it returns.
   * Operand pointers follow PolluxStep.operands. `status` is device memory. */
  PolluxResult (*enqueue)(PolluxDevice*, PolluxPrepared*, void* const* operands, void* scratch, PolluxStatus* status);
  PolluxResult (*upload)(PolluxDevice*, void* destination, const void* host,
                         uint64_t bytes); /* `host` stays valid until synchronize() */
  PolluxResult (*download)(PolluxDevice*, void* host, const void* source,
                           uint64_t bytes); /* filled after synchronize() */
  PolluxResult (*copy)(PolluxDevice*, void* destination, const void* source, uint64_t bytes);
  PolluxResult (*fill_zero)(PolluxDevice*, void* destination, uint64_t bytes);
  PolluxResult (*synchronize)(PolluxDevice*, char* error, size_t error_size);

  /* Bytes that prepared steps hold beside scratch: packed weights, tables. NULL: none. Any thread may ask. */
  uint64_t (*packed_bytes)(PolluxDevice*);
} PolluxBackend;

/* The one exported symbol. */
#if defined(_WIN32)
__declspec(dllexport)
#else
__attribute__((visibility("default")))
#endif
    const PolluxBackend* pollux_backend(void);

#ifdef __cplusplus
}
#endif
