// A C interface to libtorch: tensors, operator calls, gradients, random generators, settings.
//
// Conventions
// - Functions that can fail return 0 on success and 1 on failure; `ctorch_last_error` then holds
//   the message of this thread's last failure, until the next failing call on the same thread.
// - A tensor or generator that a function writes through an `out` parameter belongs to the caller,
//   who frees it. The caller keeps ownership of handles that it passes in. On failure nothing is
//   written.
// - No function lets a C++ exception escape.
// - Element types are the raw values of `c10::ScalarType`; see CTorchElementType.
#ifndef CTORCH_H
#define CTORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctorch_tensor *CTorchTensor;
typedef struct ctorch_generator *CTorchGenerator;
typedef const struct ctorch_operator *CTorchOperator;

typedef enum {
  CTORCH_U8 = 0,
  CTORCH_I8 = 1,
  CTORCH_I16 = 2,
  CTORCH_I32 = 3,
  CTORCH_I64 = 4,
  CTORCH_F16 = 5,
  CTORCH_F32 = 6,
  CTORCH_F64 = 7,
  CTORCH_BOOL = 11,
  CTORCH_BF16 = 15,
  CTORCH_F8E5M2 = 23,
  CTORCH_F8E4M3 = 24,
  CTORCH_U16 = 27,
  CTORCH_U32 = 28,
  CTORCH_U64 = 29,
} CTorchElementType;

typedef enum {
  CTORCH_CPU = 0,
  CTORCH_CUDA = 1,
  CTORCH_MPS = 2,
} CTorchDeviceKind;

/// Message of this thread's last failure; never NULL. Valid until the next failure on this thread.
const char *ctorch_last_error(void);

// Tensors -----------------------------------------------------------------------------------------

/// A new CPU tensor that holds a copy of `byte_count` bytes, row-major, `sizes[rank]`.
int ctorch_tensor_copying(const void *bytes, size_t byte_count, CTorchElementType type,
                          const int64_t *sizes, size_t rank, CTorchTensor *out);

/// A CPU tensor over memory that it does not own. `release(context)` is called once: when the last
/// tensor that uses the memory is freed, or when this function fails.
int ctorch_tensor_borrowing(const void *bytes, CTorchElementType type, const int64_t *sizes,
                            size_t rank, void (*release)(void *context), void *context,
                            CTorchTensor *out);

/// A new CPU tensor whose elements have no values yet.
int ctorch_tensor_empty(CTorchElementType type, const int64_t *sizes, size_t rank, CTorchTensor *out);

// The commonest rearrangements, without the dispatch by name of `ctorch_call`.
int ctorch_tensor_reshape(CTorchTensor tensor, const int64_t *sizes, size_t rank, CTorchTensor *out);
int ctorch_tensor_select(CTorchTensor tensor, int64_t axis, int64_t index, CTorchTensor *out);

/// Another handle to the same tensor, which the caller frees.
CTorchTensor ctorch_tensor_retain(CTorchTensor tensor);

void ctorch_tensor_free(CTorchTensor tensor);

size_t ctorch_tensor_rank(CTorchTensor tensor);
void ctorch_tensor_sizes(CTorchTensor tensor, int64_t *sizes);
/// The size of an axis below the rank.
int64_t ctorch_tensor_size(CTorchTensor tensor, size_t axis);
int64_t ctorch_tensor_count(CTorchTensor tensor);
CTorchElementType ctorch_tensor_type(CTorchTensor tensor);
void ctorch_tensor_device(CTorchTensor tensor, CTorchDeviceKind *kind, int32_t *index);

/// True when no other tensor shares the elements and libtorch allocated their memory, so that
/// changing them in place is visible to no one else. At most `holders` references to this very
/// tensor are allowed, this handle among them.
bool ctorch_tensor_owns_elements(CTorchTensor tensor, size_t holders);

/// First element of a contiguous CPU tensor, or NULL for any other tensor.
const void *ctorch_tensor_elements(CTorchTensor tensor);

/// The first element of a CPU tensor in any layout, or NULL, and the strides in elements of each
/// axis.
const void *ctorch_tensor_strided_elements(CTorchTensor tensor, int64_t *strides);

/// Copies the elements, row-major, from any device. Fails when `byte_count` is not their exact
/// size.
int ctorch_tensor_read(CTorchTensor tensor, void *bytes, size_t byte_count);

/// The number of handles that were returned and not yet freed, over all threads.
int64_t ctorch_live_tensors(void);

// Operators ---------------------------------------------------------------------------------------

/// Looks up an operator by name ("aten::add") and overload ("Tensor", or "" for none). The result
/// is valid for the life of the process.
int ctorch_operator_find(const char *name, const char *overload, CTorchOperator *out);

// Arguments of the next call on this thread, in the order of the operator's schema.
void ctorch_push_tensor(CTorchTensor tensor);
void ctorch_push_tensors(const CTorchTensor *tensors, size_t count);
void ctorch_push_none(void);
void ctorch_push_int(int64_t value);
void ctorch_push_double(double value);
void ctorch_push_bool(bool value);
void ctorch_push_string(const char *value);
void ctorch_push_ints(const int64_t *values, size_t count);
/// An empty list of optional numbers.
void ctorch_push_no_numbers(void);
void ctorch_push_device(CTorchDeviceKind kind, int32_t index);
void ctorch_push_generator(CTorchGenerator generator);

/// Calls the operator with the arguments pushed so far; missing trailing ones take their defaults.
/// Writes up to `capacity` result tensors and their number. A list counts as its elements, a number
/// or Boolean as a tensor without dimensions, an absent optional result as NULL. The pushed
/// arguments are consumed, also on failure.
int ctorch_call(CTorchOperator op, CTorchTensor *results, size_t capacity, size_t *count);

// Gradients ---------------------------------------------------------------------------------------

bool ctorch_gradients_enabled(void);
void ctorch_set_gradients_enabled(bool enabled);

bool ctorch_tensor_requires_gradient(CTorchTensor tensor);
/// Fails for integer tensors and for results of recorded operations.
int ctorch_tensor_set_requires_gradient(CTorchTensor tensor, bool required);

/// Gradients of Σ outputs[i] · seeds[i] with respect to `inputs`; a NULL seed stands for ones.
/// Inputs that did not contribute get NULL.
int ctorch_gradients(const CTorchTensor *outputs, const CTorchTensor *seeds, size_t output_count,
                     const CTorchTensor *inputs, size_t input_count, CTorchTensor *gradients);

/// Receives the gradient of a watched leaf, as an owned handle. Returns 0, or 1 to make the
/// backward pass fail.
typedef int (*CTorchGradientReady)(void *context, size_t index, CTorchTensor gradient);

/// Requests one call of `ready(context, index, …)` in the next `ctorch_backward`, when the gradient
/// of a leaf is complete and the pass no longer needs the leaf.
int ctorch_watch_gradient(CTorchTensor leaf, CTorchGradientReady ready, void *context,
                          size_t index);
/// Withdraws the request if it has not been fulfilled.
void ctorch_unwatch_gradient(CTorchTensor leaf);
/// Runs the backward pass from a scalar to all leaves, which must be watched.
int ctorch_backward(CTorchTensor loss);

/// Computes gradients of a recomputed block. `output_gradients` may hold NULL where an output was
/// not used; the function writes one owned handle or NULL per input and returns 0, or returns 1
/// after freeing what it made, with a message that stays valid until its next call.
typedef int (*CTorchBackward)(void *context, const CTorchTensor *output_gradients,
                              size_t output_count, CTorchTensor *input_gradients,
                              size_t input_count, const char **message);

/// Records that `values` were computed from `inputs` by a block whose gradients `backward` knows.
/// Writes one tensor per value, connected to the gradient graph. `release(context)` is called once:
/// when the graph is freed, or when this function fails.
int ctorch_record_block(const CTorchTensor *inputs, size_t input_count, const CTorchTensor *values,
                        size_t value_count, CTorchBackward backward, void (*release)(void *),
                        void *context, CTorchTensor *outputs);

// Random generators -------------------------------------------------------------------------------

int ctorch_generator_new(uint64_t seed, CTorchGenerator *out);
void ctorch_generator_free(CTorchGenerator generator);
/// The whole state as a tensor of bytes, for checkpoints.
int ctorch_generator_state(CTorchGenerator generator, CTorchTensor *out);
int ctorch_generator_set_state(CTorchGenerator generator, CTorchTensor state);

// Settings and facts ------------------------------------------------------------------------------

int ctorch_thread_count(void);
int ctorch_set_thread_count(int count);
/// Keeps freed memory for later allocations instead of returning it to the system.
void ctorch_keep_freed_memory(void);
/// Maps blocks of at least this many bytes, at most 32 MiB, by themselves and returns them when they are freed.
void ctorch_map_large_blocks(size_t bytes);
/// Returns all memory that is currently free to the system, also between blocks in use.
void ctorch_give_back_freed_memory(void);

/// The number of devices of a kind that this libtorch can use on this machine.
int32_t ctorch_device_count(CTorchDeviceKind kind);
/// "2.13.0".
const char *ctorch_version(void);
/// The instruction set that libtorch's own kernels use here, for example "AVX512".
const char *ctorch_kernel_instruction_set(void);

typedef struct {
  bool avx2, avx512, avx512_vnni, avx512_bf16, amx_tile, amx_int8;
} CTorchCPUFeatures;
CTorchCPUFeatures ctorch_cpu_features(void);

#ifdef __cplusplus
}
#endif

#endif
