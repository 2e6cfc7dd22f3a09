// Kernels of our own, each beside a plain version in the tests. They neither allocate nor print, and choose
// among instruction sets when they run.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// y[r] = Σ_c weight[r · columns + c] · x[c], summed in f32, for every row r.
void ckernels_matrix_vector_f32(const float *weight, const float *x, float *y, size_t rows,
                                size_t columns);

/// The same for brain floats, given and returned as their bits; sums are f32 and round to nearest even.
void ckernels_matrix_vector_bf16(const uint16_t *weight, const uint16_t *x, uint16_t *y, size_t rows,
                                 size_t columns);

/// Whether this processor runs the kernels below; without them their callers use libtorch.
bool ckernels_has_tiles(void);

// Products of few rows ----------------------------------------------------------------------------

/// x · weightᵀ + bias, f32.
typedef struct {
  size_t rows, inputs, outputs;
  /// [rows, inputs].
  const float *x;
  /// [outputs, inputs], read as it lies, once for every 48 rows.
  const float *weight;
  /// [outputs]; NULL if there is none.
  const float *bias;
  /// `ckernels_linear_packed_count` numbers, written by the first step and read by the second.
  float *packed;
  /// [rows, outputs], written.
  float *result;
} ckernels_linear;

/// Numbers of `packed`.
size_t ckernels_linear_packed_count(const ckernels_linear *work);
/// Puts the rows of x side by side.
void ckernels_linear_pack(const ckernels_linear *work);
/// Outputs 16 · first to 16 · last - 1, as far as there are so many; different ones may be worked on at the same time.
void ckernels_linear_outputs(const ckernels_linear *work, size_t first, size_t last);

// Experts -----------------------------------------------------------------------------------------

typedef enum { CKERNELS_SILU, CKERNELS_RELU, CKERNELS_GELU_TANH } ckernels_activation;

/// Rows of one expert that are worked on together: at most 48 assignments in a row.
typedef struct {
  size_t expert, first, count;
  /// Lanes of the blocks before it: `count` rounded up to whole vectors of 16.
  size_t lane;
} ckernels_block;

/// Feed-forward experts on the rows that chose them; all matrices row-major, f32 or brain floats.
typedef struct {
  /// Brain floats; then `hidden` and `inner` are even and sums are f32 still.
  bool narrow;
  ckernels_activation activation;
  size_t hidden, inner;
  /// Per expert [inner, hidden]; the list is NULL where experts have no gate.
  const void *const *gate;
  /// Per expert [inner, hidden].
  const void *const *up;
  /// Per expert [hidden, inner].
  const void *const *down;
  /// Per expert [inner] and [hidden], of the weights' type; both lists are NULL where experts have no biases, as
  /// those with a gate.
  const void *const *up_bias, *const *down_bias;
  /// [tokens, hidden].
  const void *x;
  /// The token of each assignment, assignments sorted by expert.
  const int32_t *rows;
  const ckernels_block *blocks;
  /// [assignments, hidden], written.
  float *answers;
  /// The products of gate and up before the activation, [lanes of all blocks · inner], written for the
  /// backward pass; NULL if there is none, the first also without a gate.
  float *gate_values, *up_values;
} ckernels_experts;

/// Bytes that one call of `ckernels_experts_blocks` needs for itself.
size_t ckernels_experts_scratch(const ckernels_experts *work);
/// Works on blocks `first` to `last - 1`; different blocks may be worked on at the same time.
void ckernels_experts_blocks(const ckernels_experts *work, size_t first, size_t last, void *scratch);

/// The backward pass of `ckernels_experts` and the weighted sums after it, f32; `hidden` and `inner` are
/// multiples of 16.
typedef struct {
  /// With the values that the forward pass wrote.
  const ckernels_experts *forward;
  /// Weight of each assignment, sorted as `rows`.
  const float *weights;
  /// Gradients of the layer's answers, [tokens, hidden].
  const float *gradient;
  /// Per expert, the blocks starts[e] to starts[e + 1] - 1; experts + 1 starts.
  const size_t *starts;
  /// Per expert gradients of the weights, written; NULL for experts without rows. The first list is NULL
  /// without a gate.
  float *const *gate, *const *up, *const *down;
  /// The same of the biases; NULL where there are none.
  float *const *up_bias, *const *down_bias;
  /// Gradients of the weights of assignments, [assignments], written.
  float *weight_gradients;
  /// Gradients of each assignment's row of x, [assignments, hidden], written.
  float *row_gradients;
} ckernels_experts_backward;

/// Bytes that one call of `ckernels_experts_backward_of` needs for itself.
size_t ckernels_experts_backward_scratch(const ckernels_experts_backward *work);
/// The gradients of one expert; different experts may be worked on at the same time.
void ckernels_experts_backward_of(const ckernels_experts_backward *work, size_t expert, void *scratch);

/// The chosen experts of one token.
typedef struct {
  bool narrow;
  ckernels_activation activation;
  size_t hidden, inner, chosen;
  /// As in `ckernels_experts`, of the chosen experts only.
  const void *const *gate, *const *up, *const *down;
  /// [chosen].
  const float *weights;
  /// [hidden], f32 also for narrow weights.
  const float *x;
  /// [chosen, inner], written by the first step and read by the second.
  float *values;
  /// [hidden], written.
  void *result;
} ckernels_expert_row;

/// Inner values `first` to `last - 1` of the `chosen · inner`; a multiple of 16 starts each part.
void ckernels_expert_row_inner(const ckernels_expert_row *work, size_t first, size_t last);
/// Results `first` to `last - 1`, when all inner values are there.
void ckernels_expert_row_result(const ckernels_expert_row *work, size_t first, size_t last);

/// Weighted sums of answers per token.
typedef struct {
  /// Whether results are brain floats.
  bool narrow;
  size_t width;
  /// [assignments, width].
  const float *answers;
  /// Token t's assignments are places[starts[t]] to places[starts[t + 1] - 1]; tokens + 1 starts.
  const int32_t *starts, *places;
  /// Beside `places`.
  const float *weights;
  /// [tokens, width], written.
  void *result;
} ckernels_combination;

/// Works on tokens `first` to `last - 1`.
void ckernels_combine(const ckernels_combination *work, size_t first, size_t last);

// Attention ---------------------------------------------------------------------------------------

/// Attention of the last `queries` of `keys` positions; f32 or brain floats.
typedef struct {
  /// Whether every query sees every key; otherwise those up to its own position.
  bool sees_all;
  /// Brain floats; then `width` and all distances are even.
  bool narrow;
  size_t batch, heads, key_heads, width, queries, keys;
  /// Keys up to its own that a query sees; 0 for all of them. 0 where `sees_all`.
  size_t window;
  float scale;
  const void *query, *key, *value;
  /// Distances in numbers between rows of a batch, heads, and positions; a head's numbers lie side by side.
  size_t query_batch, query_head, query_step;
  size_t key_batch, key_head, key_step;
  size_t value_batch, value_head, value_step;
  /// [batch, queries, heads · width], written.
  void *result;
} ckernels_attention;

/// Pieces of work.
size_t ckernels_attention_blocks(const ckernels_attention *work);
/// Bytes that one call of `ckernels_attention_run` needs for itself.
size_t ckernels_attention_scratch(const ckernels_attention *work);
/// Works on pieces `first` to `last - 1`.
void ckernels_attention_run(const ckernels_attention *work, size_t first, size_t last, void *scratch);

// Rows --------------------------------------------------------------------------------------------

/// x / √(mean(x²) + ε) · weight for every row, computed in f32.
typedef struct {
  bool narrow;
  size_t width;
  float epsilon;
  /// [rows, width].
  const void *x;
  /// [width].
  const void *weight;
  /// [rows, width], written.
  void *result;
} ckernels_norm;

void ckernels_rms_norm(const ckernels_norm *work, size_t first, size_t last);

/// Rotates pairs of numbers that lie half a head apart, computed in f32.
typedef struct {
  bool narrow;
  /// `width` numbers per head, even; row r is at position r mod `positions`.
  size_t heads, width, positions;
  /// [rows, heads, width].
  const void *x;
  /// [positions, width / 2].
  const float *cosine, *sine;
  /// [rows, heads, width], written.
  void *result;
} ckernels_rotation;

void ckernels_rotate(const ckernels_rotation *work, size_t first, size_t last);

// Recurrence --------------------------------------------------------------------------------------

/// Sequences that are worked on together: `count` of them, at most `lanes`, in the order of `order`.
typedef struct {
  size_t first, count;
  /// Where the block's values begin in `kept`.
  size_t kept;
} ckernels_recurrence_block;

/// Gated recurrent units from a state of zeros, f32; gates in the order reset, update, new.
typedef struct {
  size_t hidden;
  /// 16, 32 or 48.
  size_t lanes;
  /// The input's part of all gates, its bias included: [rows, 3 · hidden].
  const float *projections;
  /// Applied to the state, [3 · hidden, hidden], and its bias, [3 · hidden].
  const float *weight, *bias;
  /// Numbers of the sequences, longest first.
  const size_t *order;
  /// First row and number of rows, at least 1, of each sequence.
  const size_t *starts, *lengths;
  const ckernels_recurrence_block *blocks;
  /// State after the last row of each sequence, [sequences, hidden], written.
  float *last;
  /// For the backward pass, written: per block and step `ckernels_recurrence_kept` numbers; NULL if there is none.
  float *kept;
} ckernels_recurrence;

/// Numbers that one step of a block keeps.
size_t ckernels_recurrence_kept(size_t hidden, size_t lanes);
/// Bytes that one call of either of the following needs for itself.
size_t ckernels_recurrence_scratch(const ckernels_recurrence *work);
/// Works on one block; different blocks may be worked on at the same time.
void ckernels_recurrence_forward(const ckernels_recurrence *work, size_t block, void *scratch);

/// The backward pass of `ckernels_recurrence`.
typedef struct {
  /// With the values that the forward pass wrote.
  const ckernels_recurrence *forward;
  /// Gradients of `last`, [sequences, hidden].
  const float *gradient;
  /// Gradients of the projections, and of the state's part of the gates: [rows, 3 · hidden], written.
  float *input_changes, *state_changes;
  /// State before each row, [rows, hidden], written.
  float *states;
} ckernels_recurrence_backward;

/// Works on one block; different blocks may be worked on at the same time.
void ckernels_recurrence_backward_of(const ckernels_recurrence_backward *work, size_t block, void *scratch);

// Modulation --------------------------------------------------------------------------------------

/// (x − mean) / √(variance + ε) · (1 + scale) + shift for every row; f32. Row r belongs to image r / `tokens`.
typedef struct {
  size_t width, tokens;
  float epsilon;
  /// [images · tokens, width].
  const float *x;
  /// [images, width].
  const float *shift, *scale;
  /// [images · tokens, width], written.
  float *result;
  /// [images · tokens], written for the backward pass: mean and 1 / √(variance + ε).
  float *means, *factors;
} ckernels_modulation;

/// Works on rows `first` to `last - 1`.
void ckernels_modulate(const ckernels_modulation *work, size_t first, size_t last);

typedef struct {
  /// With what the forward pass wrote; its result is not read.
  const ckernels_modulation *forward;
  /// [images · tokens, width].
  const float *gradient;
  /// Of x, shift and scale, in their shapes, written.
  float *x_gradient, *shift_gradient, *scale_gradient;
} ckernels_modulation_backward;

/// Works on images `first` to `last - 1`.
void ckernels_modulate_backward(const ckernels_modulation_backward *work, size_t first, size_t last);

/// x + gate · y for every row; f32. Row r belongs to image r / `tokens`.
typedef struct {
  size_t width, tokens;
  /// [images · tokens, width].
  const float *x, *y;
  /// [images, width].
  const float *gate;
  /// [images · tokens, width], written.
  float *result;
} ckernels_gated_sum;

/// Works on rows `first` to `last - 1`.
void ckernels_add_gated(const ckernels_gated_sum *work, size_t first, size_t last);

typedef struct {
  /// Its x and result are not read.
  const ckernels_gated_sum *forward;
  /// [images · tokens, width]; it is also the gradient of x.
  const float *gradient;
  /// Of y and gate, in their shapes, written.
  float *y_gradient, *gate_gradient;
} ckernels_gated_sum_backward;

/// Works on images `first` to `last - 1`.
void ckernels_add_gated_backward(const ckernels_gated_sum_backward *work, size_t first, size_t last);

// Files -------------------------------------------------------------------------------------------

/// `count` blocks of 32 elements as GGUF files store them (Q8_0: 34 bytes each, Q4_0: 18, Q4_1: 20), as f32.
void ckernels_gguf_q8_0(const uint8_t *blocks, float *values, size_t count);
void ckernels_gguf_q4_0(const uint8_t *blocks, float *values, size_t count);
void ckernels_gguf_q4_1(const uint8_t *blocks, float *values, size_t count);

#endif
