// Switchyard's CPU kernels: the descriptions of their work, and a table of functions for each
// instruction set. They neither allocate nor print; the tests compare each with a plain reference.
//
// "Width" and "lanes" are those of the table whose functions are called.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang diagnostic push
// Only functions and tables are never NULL.
#pragma clang diagnostic ignored "-Wnullability-completeness"

// Products of rows ---------------------------------------------------------------------------------

/// x · weightᵀ + bias; f32 or bf16.
typedef struct {
  /// Whether numbers are bf16; then `inputs` is even if the table multiplies bf16 and rows are packed. Sums are always
  /// f32.
  bool narrow;
  size_t rows, inputs, outputs;
  /// [rows, inputs].
  const void *x;
  /// [outputs, inputs], row-major, read once for every block of rows.
  const void *weight;
  /// [outputs]; NULL if there is none.
  const void *bias;
  /// `linear_packed_count` elements, written by `linear_pack` and read by `linear_outputs`.
  float *packed;
  /// [rows, outputs], written.
  void *result;
} ckernels_linear;

// Experts -----------------------------------------------------------------------------------------

/// The outputs of one piece of `experts_dot_inner` and `experts_dot_answers`.
enum { CKERNELS_DOT_OUTPUTS = 16 };

/// Blocks of an expert whose packed weights are unpacked once for all of them.
enum { CKERNELS_EXPERT_BLOCKS = 4 };

/// Experts have the first three.
typedef enum {
  CKERNELS_SILU,
  CKERNELS_RELU,
  CKERNELS_GELU_TANH,
  CKERNELS_GELU,
  CKERNELS_TANH,
  CKERNELS_LOGISTIC,
} ckernels_activation;

/// One block of rows of an expert: at most `lanes` consecutive assignments.
typedef struct {
  size_t expert, first, count;
  /// The number of lanes of all earlier blocks, each with `count` rounded up to whole vectors.
  size_t lane;
} ckernels_block;

/// Feed-forward experts applied to the rows routed to them; all matrices are row-major, f32 or
/// bf16.
typedef struct {
  /// Whether weights and rows are bf16; then `hidden` and `inner` are even. Sums are always f32.
  bool narrow;
  ckernels_activation activation;
  size_t hidden, inner;
  /// Per expert [inner, hidden]; the list is NULL if experts have no gate.
  const void *const *gate;
  /// Per expert [inner, hidden].
  const void *const *up;
  /// Per expert [hidden, inner].
  const void *const *down;
  /// Per expert [inner] and [hidden], in the weights' type; both lists are NULL if experts have no
  /// biases; experts with a gate have none.
  const void *const *up_bias, *const *down_bias;
  /// [tokens, hidden].
  const void *x;
  /// The token of each assignment, assignments sorted by expert.
  const int32_t *rows;
  const ckernels_block *blocks;
  /// [assignments, hidden], written.
  float *answers;
  /// [assignments, inner] in the weights' type, written by `experts_dot_inner` and read by `experts_dot_answers`; NULL
  /// for `experts_blocks`.
  void *values;
  /// The products of gate and up before the activation, [lanes of all blocks · inner], written for
  /// the backward pass; both NULL if there is none, and the first also without a gate.
  float *gate_values, *up_values;
} ckernels_experts;

/// The backward pass of `ckernels_experts` and the weighted sums after it; `hidden` and `inner` are
/// multiples of `width`. Gradients are f32, except those of the outputs, which have the weights'
/// type.
typedef struct {
  /// The forward work, with the values that the forward pass wrote.
  const ckernels_experts *forward;
  /// The weight of each assignment, in the order of `rows`.
  const float *weights;
  /// Gradients of the layer's outputs, [tokens, hidden], in the type of the weights.
  const void *gradient;
  /// Expert e has the blocks starts[e] to starts[e + 1] - 1; experts + 1 elements.
  const size_t *starts;
  /// The gradients of each expert's weights, written; NULL for experts without rows. The first list
  /// is NULL without a gate.
  float *const *gate, *const *up, *const *down;
  /// The same for the biases; NULL if there are none.
  float *const *up_bias, *const *down_bias;
  /// Gradients of the assignments' weights, [assignments], written.
  float *weight_gradients;
  /// Gradients of each assignment's row of x, [assignments, hidden], written.
  float *row_gradients;
} ckernels_experts_backward;

/// The weighted sum of each token's expert outputs.
typedef struct {
  /// Whether results are bf16.
  bool narrow;
  size_t width;
  /// [assignments, width].
  const float *answers;
  /// Token t's assignments are places[starts[t]] to places[starts[t + 1] - 1]; `starts` has tokens
  /// + 1 elements.
  const int32_t *starts, *places;
  /// One weight per element of `places`.
  const float *weights;
  /// [tokens, width], written.
  void *result;
} ckernels_combination;

// Packed weights ----------------------------------------------------------------------------------

/// What the codes of a packed weight stand for.
typedef enum {
  /// code · scale + bias.
  CKERNELS_AFFINE,
  /// (code - 2^(bits - 1)) · scale.
  CKERNELS_SYMMETRIC,
  /// The 4-bit floating-point number (1 bit sign, 2 exponent, 1 mantissa), times the scale, a power of two.
  CKERNELS_FP4,
  /// One of 16 values that are denser near zero (IQ4_NL of GGUF), times the scale.
  CKERNELS_NL4,
} ckernels_kind;

/// The type of scales and biases.
typedef enum {
  CKERNELS_SCALE_F32,
  CKERNELS_SCALE_BF16,
  CKERNELS_SCALE_F16,
  /// A power of two: the exponent with 127 added, in a byte; the scales of FP4 have this type, and no others.
  CKERNELS_SCALE_E8M0,
} ckernels_scale;

/// A matrix whose rows are little-endian streams of codes, with a scale for each group of inputs.
///
/// All scales and biases are finite.
typedef struct {
  ckernels_kind kind;
  /// 2, 3, 4, 5, 6 or 8; kinds with a table have 4.
  int bits;
  /// A group is 2^5, 2^6 or 2^7 inputs; the last one of a row may be shorter.
  int group_shift;
  ckernels_scale scale_type;
  /// Whether rows are rounded to 16 bits where they are multiplied with codes; otherwise to 8.
  bool fine;
  size_t inputs;
  /// Bytes of a row's codes, and scales of a row.
  size_t row_bytes, row_groups;
  const uint8_t *codes;
  /// [outputs, row_groups].
  const void *scales;
  /// [outputs, row_groups]; only for affine codes.
  const void *biases;
} ckernels_quantized;

/// A dense weight to be rounded to codes, each to the nearest.
typedef struct {
  /// Affine or symmetric.
  ckernels_kind kind;
  int bits, group_shift;
  /// f32, bf16 or f16.
  ckernels_scale scale_type;
  /// Whether the weight is bf16, not f32; it is finite.
  bool narrow;
  /// Whether affine codes are those of MLX, bit by bit.
  bool mlx;
  size_t inputs, row_bytes, row_groups;
  /// [outputs, inputs].
  const void *weight;
  /// Written, as `ckernels_quantized` describes them; `biases` is NULL for symmetric codes.
  uint8_t *codes;
  void *scales, *biases;
} ckernels_packing;

/// The number of forms in which rows are rounded.
enum { CKERNELS_FORMS = 24 };

/// Rows to be rounded to whole numbers, in a form that `quantized_form` names.
typedef struct {
  size_t inputs, form;
  /// [rows, inputs].
  const float *x;
  /// `quantized_form_bytes` per row, written.
  void *result;
} ckernels_rounding;

/// x · weightᵀ + bias, f32.
typedef struct {
  ckernels_quantized weight;
  size_t rows, outputs;
  /// [rows, inputs], read by `quantized_linear_pack`.
  const float *x;
  /// The rows in the weight's form, read by `quantized_dots`.
  const void *forms;
  /// [outputs]; NULL if there is none.
  const float *bias;
  /// `quantized_linear_count` elements, written by `quantized_linear_pack` and read by `quantized_linear_outputs`.
  float *packed;
  /// [rows, outputs], written.
  float *result;
} ckernels_quantized_linear;

/// Outputs `first` and following of a block.
typedef struct {
  size_t block, first, count;
} ckernels_piece;

/// Experts without biases, applied to the rows routed to them; each projection of each expert has a width, a group and a
/// kind of its own. f32.
typedef struct {
  ckernels_activation activation;
  size_t hidden, inner;
  /// One per expert; those of experts without rows are not read. NULL if experts have no gate.
  const ckernels_quantized *gate;
  const ckernels_quantized *up, *down;
  /// [tokens, hidden], read by `quantized_experts_blocks`.
  const float *x;
  /// The same rows in every form that an expert's gate or up projection reads; other elements are not read.
  const void *forms[CKERNELS_FORMS];
  /// The token of each assignment, assignments sorted by expert.
  const int32_t *rows;
  const ckernels_block *blocks;
  /// Parts of the inner values, then of the answers, for the functions that compute pieces.
  const ckernels_piece *pieces;
  /// [assignments, inner], written by `quantized_experts_inner`.
  float *inner_values;
  /// The same, rounded; `inner_form_bytes` per assignment, enough for every form.
  void *inner_forms;
  size_t inner_form_bytes;
  /// [assignments, hidden], written.
  float *answers;
} ckernels_quantized_experts;

// Attention ---------------------------------------------------------------------------------------

/// Attention of the last `queries` of `keys` positions; f32 or bf16.
typedef struct {
  /// Whether every query sees every key; otherwise attention is causal.
  bool sees_all;
  /// Whether values are bf16; then `width` and all strides are even.
  bool narrow;
  size_t batch, heads, key_heads, width, queries, keys;
  /// The number of keys, its own included, that a query sees; 0 for all of them, and 0 if
  /// `sees_all`.
  size_t window;
  float scale;
  const void *query, *key, *value;
  /// Strides in elements between rows of a batch, heads and positions; a head's elements are
  /// contiguous.
  size_t query_batch, query_head, query_step;
  size_t key_batch, key_head, key_step;
  size_t value_batch, value_head, value_step;
  /// [batch, queries, heads · width], written.
  void *result;
  /// The logarithm of each query's sum of exponentials, [batch, heads, queries], written for the
  /// backward pass; NULL if there is none.
  float *log_sums;
} ckernels_attention;

/// The backward pass of `ckernels_attention`.
typedef struct {
  /// The forward work, with what the forward pass wrote.
  const ckernels_attention *forward;
  /// Gradient of the result, in its shape and type.
  const void *gradient;
  /// Gradients of queries, [batch, queries, heads · width], and of keys and values, [batch, keys,
  /// key_heads · width], in their type, written.
  void *query_gradient, *key_gradient, *value_gradient;
} ckernels_attention_backward;

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

/// The backward pass of `ckernels_norm`.
typedef struct {
  /// The forward work; its result is not read.
  const ckernels_norm *forward;
  /// Rows in all, and rows per block.
  size_t rows, block;
  /// [rows, width], in the type of x.
  const void *gradient;
  /// [rows, width], in the type of x, written.
  void *x_gradient;
  /// The sums of each block, [blocks, width], written.
  float *weight_gradients;
} ckernels_norm_backward;

/// Rotary position embedding: rotates pairs of elements half a head apart, computed in f32.
typedef struct {
  bool narrow;
  /// `width` elements per head, even; row r is at position r mod `positions`.
  size_t heads, width, positions;
  /// [rows, heads, width].
  const void *x;
  /// [positions, width / 2].
  const float *cosine, *sine;
  /// [rows, heads, width], written.
  void *result;
} ckernels_rotation;

/// activation(x), times a factor if there is one, computed in f32.
typedef struct {
  bool narrow;
  ckernels_activation activation;
  const void *x;
  /// NULL if there is none.
  const void *factor;
  /// Written.
  void *result;
} ckernels_elements;

// Recurrence --------------------------------------------------------------------------------------

/// A block of `count` sequences, at most `lanes`, in the order of `order`.
typedef struct {
  size_t first, count;
  /// Offset of the block's values in `kept`.
  size_t kept;
} ckernels_recurrence_block;

/// Gated recurrent units that start from a zero state, f32; gates in the order reset, update, new.
typedef struct {
  size_t hidden;
  /// A multiple of `width`, at most the table's `lanes`.
  size_t lanes;
  /// The input's contribution to all gates, its bias included: [rows, 3 · hidden].
  const float *projections;
  /// The weight applied to the state, [3 · hidden, hidden], and its bias, [3 · hidden].
  const float *weight, *bias;
  /// Indices of the sequences, longest first.
  const size_t *order;
  /// The first row and the number of rows (at least 1) of each sequence.
  const size_t *starts, *lengths;
  const ckernels_recurrence_block *blocks;
  /// The state after the last row of each sequence, [sequences, hidden], written.
  float *last;
  /// Written for the backward pass: `recurrence_kept` elements per block and step; NULL if
  /// there is none.
  float *kept;
} ckernels_recurrence;

/// The backward pass of `ckernels_recurrence`.
typedef struct {
  /// The forward work, with the values that the forward pass wrote.
  const ckernels_recurrence *forward;
  /// Gradients of `last`, [sequences, hidden].
  const float *gradient;
  /// Gradients of the projections, and of the state's contribution to the gates: [rows, 3 ·
  /// hidden], written.
  float *input_changes, *state_changes;
  /// The state before each row, [rows, hidden], written.
  float *states;
} ckernels_recurrence_backward;

// Modulation --------------------------------------------------------------------------------------

/// (x − mean) / √(variance + ε) · (1 + scale) + shift for every row; f32. The image of row r is r /
/// `tokens`.
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

typedef struct {
  /// The forward work, with what the forward pass wrote; its result is not read.
  const ckernels_modulation *forward;
  /// [images · tokens, width].
  const float *gradient;
  /// Gradients of x, shift and scale, in their shapes, written.
  float *x_gradient, *shift_gradient, *scale_gradient;
} ckernels_modulation_backward;

/// x + gate · y for every row; f32. The image of row r is r / `tokens`.
typedef struct {
  size_t width, tokens;
  /// [images · tokens, width].
  const float *x, *y;
  /// [images, width].
  const float *gate;
  /// [images · tokens, width], written.
  float *result;
} ckernels_gated_sum;

typedef struct {
  /// The forward work; its x and result are not read.
  const ckernels_gated_sum *forward;
  /// [images · tokens, width]; it is also the gradient of x.
  const float *gradient;
  /// Gradients of y and gate, in their shapes, written.
  float *y_gradient, *gate_gradient;
} ckernels_gated_sum_backward;

// Versions ----------------------------------------------------------------------------------------

/// The kernels, built for one instruction set, and the sizes that their callers must know.
///
/// Functions with `first` and `last` compute a part of their work; different parts may be computed
/// concurrently.
typedef struct {
  /// For example "avx2".
  const char *_Nonnull name;
  /// Elements of one vector register. Blocks of rows are padded to whole vectors.
  size_t width;
  /// The most rows of one block; a multiple of `width`.
  size_t lanes;
  /// Whether one instruction multiplies pairs of bf16 numbers; otherwise they are widened to f32,
  /// tile by tile, so that products are as fast as those of f32, not faster.
  bool multiplies_bf16;

  /// The number of elements of `packed`.
  size_t (*_Nonnull linear_packed_count)(const ckernels_linear *work);
  /// Packs rows width · first to width · last - 1, clipped to `rows`.
  void (*_Nonnull linear_pack)(const ckernels_linear *work, size_t first, size_t last);
  /// Computes outputs width · first to width · last - 1, clipped to `outputs`.
  void (*_Nonnull linear_outputs)(const ckernels_linear *work, size_t first, size_t last);
  /// Computes outputs `first` to `last - 1` as dot products, without packing: the sums of a row are the same for any
  /// number of rows, and others than those of `linear_outputs`.
  void (*_Nonnull linear_dots)(const ckernels_linear *work, size_t first, size_t last);
  /// Bytes of scratch memory for one call of `experts_blocks`.
  size_t (*_Nonnull experts_scratch)(const ckernels_experts *work);
  /// Computes blocks `first` to `last - 1`.
  void (*_Nonnull experts_blocks)(const ckernels_experts *work, size_t first, size_t last, void *scratch);
  /// Bytes of scratch memory for one call of `experts_backward_of`.
  size_t (*_Nonnull experts_backward_scratch)(const ckernels_experts_backward *work);
  /// Computes the gradients of one expert.
  void (*_Nonnull experts_backward_of)(const ckernels_experts_backward *work, size_t expert, void *scratch);
  /// Computes pieces `first` to `last - 1` of the inner values as dot products; every block has a piece for each
  /// `CKERNELS_DOT_OUTPUTS` inner values.
  void (*_Nonnull experts_dot_inner)(const ckernels_experts *work, size_t first, size_t last);
  /// Computes pieces of the answers, once all inner values have been computed; every block has a piece for each
  /// `CKERNELS_DOT_OUTPUTS` numbers of an answer.
  void (*_Nonnull experts_dot_answers)(const ckernels_experts *work, size_t first, size_t last);
  /// The form in which rows are multiplied with the codes of a weight.
  size_t (*_Nonnull quantized_form)(const ckernels_quantized *weight);
  /// Bytes of one row in a form.
  size_t (*_Nonnull quantized_form_bytes)(size_t inputs, size_t form);
  /// Rounds rows `first` to `last - 1`.
  void (*_Nonnull quantized_prepare)(const ckernels_rounding *work, size_t first, size_t last);
  /// Computes outputs `first` to `last - 1` from rounded rows: the sums of a row are the same for any number of rows.
  void (*_Nonnull quantized_dots)(const ckernels_quantized_linear *work, size_t first, size_t last);
  /// Unpacks rows `first` to `last - 1` of a weight: [last - first, inputs].
  void (*_Nonnull quantized_rows)(const ckernels_quantized *weight, size_t first, size_t last, float *result);
  /// Rounds rows `first` to `last - 1` of a weight.
  void (*_Nonnull quantized_round)(const ckernels_packing *work, size_t first, size_t last);
  /// The number of elements of `packed`.
  size_t (*_Nonnull quantized_linear_count)(const ckernels_quantized_linear *work);
  /// Packs rows width · first to width · last - 1, clipped to `rows`.
  void (*_Nonnull quantized_linear_pack)(const ckernels_quantized_linear *work, size_t first, size_t last);
  /// Bytes of scratch memory for one call of `quantized_linear_outputs`.
  size_t (*_Nonnull quantized_linear_scratch)(const ckernels_quantized_linear *work);
  /// Computes outputs width · first to width · last - 1, clipped to `outputs`, from packed rows; weights are rounded to
  /// bf16 if the table multiplies it.
  void (*_Nonnull quantized_linear_outputs)(const ckernels_quantized_linear *work, size_t first, size_t last,
                                            void *scratch);
  /// Computes pieces `first` to `last - 1` of the inner values from rounded rows.
  void (*_Nonnull quantized_experts_inner)(const ckernels_quantized_experts *work, size_t first, size_t last);
  /// Rounds the inner values of blocks `first` to `last - 1`, once they have been computed.
  void (*_Nonnull quantized_experts_prepare)(const ckernels_quantized_experts *work, size_t first, size_t last);
  /// Computes pieces `first` to `last - 1` of the answers from rounded inner values.
  void (*_Nonnull quantized_experts_answers)(const ckernels_quantized_experts *work, size_t first, size_t last);
  /// Bytes of scratch memory for one call of `quantized_experts_blocks`.
  size_t (*_Nonnull quantized_experts_scratch)(const ckernels_quantized_experts *work);
  /// Computes the answers of blocks `first` to `last - 1`, each of at most `lanes` rows; those of one expert share the
  /// work of unpacking its weights.
  void (*_Nonnull quantized_experts_blocks)(const ckernels_quantized_experts *work, size_t first, size_t last,
                                            void *scratch);
  /// Computes tokens `first` to `last - 1`.
  void (*_Nonnull combine)(const ckernels_combination *work, size_t first, size_t last);
  /// The number of pieces of work.
  size_t (*_Nonnull attention_blocks)(const ckernels_attention *work);
  /// Bytes of scratch memory for one call of `attention_run`.
  size_t (*_Nonnull attention_scratch)(const ckernels_attention *work);
  /// Computes pieces `first` to `last - 1`.
  void (*_Nonnull attention_run)(const ckernels_attention *work, size_t first, size_t last, void *scratch);
  /// Bytes of scratch memory for one call of `attention_backward_of`.
  size_t (*_Nonnull attention_backward_scratch)(const ckernels_attention_backward *work);
  /// Computes the gradients of one key head of one row of the batch, and of the query heads that it
  /// serves: `index` is row · key_heads + key head.
  void (*_Nonnull attention_backward_of)(const ckernels_attention_backward *work, size_t index, void *scratch);
  /// Computes rows `first` to `last - 1`.
  void (*_Nonnull rms_norm)(const ckernels_norm *work, size_t first, size_t last);
  /// Computes blocks `first` to `last - 1`.
  void (*_Nonnull rms_norm_backward)(const ckernels_norm_backward *work, size_t first, size_t last);
  /// Computes rows `first` to `last - 1`.
  void (*_Nonnull rotate)(const ckernels_rotation *work, size_t first, size_t last);
  /// Computes elements `first` to `last - 1`.
  void (*_Nonnull activate)(const ckernels_elements *work, size_t first, size_t last);
  /// The number of elements that one step of a block keeps.
  size_t (*_Nonnull recurrence_kept)(size_t hidden, size_t lanes);
  /// Bytes of scratch memory for one call of either function below.
  size_t (*_Nonnull recurrence_scratch)(const ckernels_recurrence *work);
  /// Computes one block.
  void (*_Nonnull recurrence_forward)(const ckernels_recurrence *work, size_t block, void *scratch);
  /// Computes one block.
  void (*_Nonnull recurrence_backward_of)(const ckernels_recurrence_backward *work, size_t block, void *scratch);
  /// Computes rows `first` to `last - 1`.
  void (*_Nonnull modulate)(const ckernels_modulation *work, size_t first, size_t last);
  /// Computes images `first` to `last - 1`.
  void (*_Nonnull modulate_backward)(const ckernels_modulation_backward *work, size_t first, size_t last);
  /// Computes rows `first` to `last - 1`.
  void (*_Nonnull add_gated)(const ckernels_gated_sum *work, size_t first, size_t last);
  /// Computes images `first` to `last - 1`.
  void (*_Nonnull add_gated_backward)(const ckernels_gated_sum_backward *work, size_t first, size_t last);
} ckernels_table;

/// The number of versions in this build; the last one that runs here is the fastest.
size_t ckernels_table_count(void);
const ckernels_table *_Nonnull ckernels_table_at(size_t index);
/// Whether this processor has the instructions of a version.
bool ckernels_table_runs_here(const ckernels_table *_Nonnull table);

// Packed weights ----------------------------------------------------------------------------------

/// Whether `count` scales or biases are finite; an exponent of a byte must be below 255.
bool ckernels_scales_are_finite(ckernels_scale type, const void *_Nullable scales, size_t count);

/// Where other formats have the codes of a weight, in words of 32 bits.
typedef enum {
  /// Each output is a column of words, and a little-endian stream down that column (GPTQ).
  CKERNELS_LAYOUT_COLUMNS,
  /// The same, but for every 32 codes the low bits come first, then the high ones ("planar" GPTQ).
  CKERNELS_LAYOUT_PLANAR_COLUMNS,
  /// Eight outputs share a word, in the order 0, 2, 4, 6, 1, 3, 5, 7; 4 bits (AWQ).
  CKERNELS_LAYOUT_AWQ,
  /// Rows of whole codes per word, the rest of a word unused (older compressed-tensors).
  CKERNELS_LAYOUT_PADDED_ROWS,
} ckernels_layout;

/// Codes to be moved into rows that are streams.
typedef struct {
  ckernels_layout layout;
  /// 2 to 8 bits, and as many or more of the result.
  int bits, to_bits;
  size_t inputs, outputs, row_bytes;
  const uint32_t *words;
  /// The input of each place in a row; NULL to keep their order.
  const int64_t *order;
  /// [outputs, row_bytes], written.
  uint8_t *result;
} ckernels_layout_work;

/// Moves the codes of outputs `first` to `last - 1`.
void ckernels_move_codes(const ckernels_layout_work *work, size_t first, size_t last);

// Files -------------------------------------------------------------------------------------------

/// `count` blocks of 32 elements as GGUF files store them (Q8_0: 34 bytes each, Q4_0 and IQ4_NL: 18, Q4_1: 20, Q5_0: 22,
/// Q5_1: 24, MXFP4: 17), as f32.
void ckernels_gguf_q8_0(const uint8_t *blocks, float *values, size_t count);
void ckernels_gguf_q4_0(const uint8_t *blocks, float *values, size_t count);
void ckernels_gguf_q4_1(const uint8_t *blocks, float *values, size_t count);
void ckernels_gguf_q5_0(const uint8_t *blocks, float *values, size_t count);
void ckernels_gguf_q5_1(const uint8_t *blocks, float *values, size_t count);
void ckernels_gguf_iq4_nl(const uint8_t *blocks, float *values, size_t count);
void ckernels_gguf_mxfp4(const uint8_t *blocks, float *values, size_t count);

/// `count` blocks of 256 elements (Q2_K: 84 bytes each, Q3_K: 110, Q4_K: 144, Q5_K: 176, Q6_K: 210), as f32.
void ckernels_gguf_q2_k(const uint8_t *blocks, float *values, size_t count);
void ckernels_gguf_q3_k(const uint8_t *blocks, float *values, size_t count);
void ckernels_gguf_q4_k(const uint8_t *blocks, float *values, size_t count);
void ckernels_gguf_q5_k(const uint8_t *blocks, float *values, size_t count);
void ckernels_gguf_q6_k(const uint8_t *blocks, float *values, size_t count);

/// Types of blocks whose codes and scales a packed weight can hold as they are.
typedef enum {
  CKERNELS_GGUF_Q4_0,
  CKERNELS_GGUF_Q4_1,
  CKERNELS_GGUF_Q5_0,
  CKERNELS_GGUF_Q5_1,
  CKERNELS_GGUF_Q8_0,
  CKERNELS_GGUF_Q4_K,
  CKERNELS_GGUF_Q5_K,
  CKERNELS_GGUF_IQ4_NL,
  CKERNELS_GGUF_MXFP4,
} ckernels_gguf;

/// Moves `count` blocks into streams of codes, 32 codes in 4 bytes per bit, with a scale per 32 codes, and a bias for the
/// types that end in 1 or K. Scales and biases are f16, of the types that end in K f32, exponents of MXFP4 bytes.
void ckernels_gguf_pack(ckernels_gguf type, const uint8_t *blocks, size_t count, uint8_t *codes, void *scales,
                        void *_Nullable biases);

#pragma clang diagnostic pop

#endif
