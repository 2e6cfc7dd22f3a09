// All kernels of one version, and the table of them. The including file defines what
// Vectors/Vector.h asks for and the size of a tile: TILE_ROWS and TILE_VECTORS.

#include "Attention.h"
#include "AttentionBackward.h"
#include "Elementwise.h"
#include "ExpertDots.h"
#include "Experts.h"
#include "ExpertsBackward.h"
#include "Linear.h"
#include "LinearDots.h"
#include "Modulation.h"
#include "QuantizedDots.h"
#include "QuantizedExperts.h"
#include "QuantizedLinear.h"
#include "QuantizedRound.h"
#include "Recurrent.h"
#include "Rows.h"

#define TABLE(VERSION)                                         \
  const ckernels_table ckernels_##VERSION = {                  \
      .name = #VERSION,                                        \
      .width = WIDTH,                                          \
      .lanes = LANES,                                          \
      .multiplies_bf16 = MULTIPLIES_BF16,                      \
      .linear_packed_count = linear_packed_count,              \
      .linear_pack = linear_pack,                              \
      .linear_outputs = linear_outputs,                        \
      .linear_dots = linear_dots,                              \
      .experts_scratch = experts_scratch,                      \
      .experts_blocks = experts_blocks,                        \
      .experts_backward_scratch = experts_backward_scratch,    \
      .experts_backward_of = experts_backward_of,              \
      .experts_dot_inner = experts_dot_inner,                  \
      .experts_dot_answers = experts_dot_answers,              \
      .combine = combine,                                      \
      .quantized_form = quantized_form,\
      .quantized_form_bytes = quantized_form_bytes,\
      .quantized_prepare = quantized_prepare,\
      .quantized_dots = quantized_dots,\
      .quantized_rows = quantized_rows,\
      .quantized_round = quantized_round,\
      .quantized_linear_count = quantized_linear_count,\
      .quantized_linear_pack = quantized_linear_pack,\
      .quantized_linear_scratch = quantized_linear_scratch,\
      .quantized_linear_outputs = quantized_linear_outputs,\
      .quantized_experts_inner = quantized_experts_inner,\
      .quantized_experts_prepare = quantized_experts_prepare,\
      .quantized_experts_answers = quantized_experts_answers,\
      .quantized_experts_scratch = quantized_experts_scratch,\
      .quantized_experts_blocks = quantized_experts_blocks,\
      .attention_blocks = attention_blocks,                    \
      .attention_scratch = attention_scratch,                  \
      .attention_run = attention_run,                          \
      .attention_backward_scratch = attention_backward_scratch, \
      .attention_backward_of = attention_backward_of,          \
      .rms_norm = rms_norm,                                    \
      .rms_norm_backward = rms_norm_backward,                  \
      .rotate = rotate,                                        \
      .activate = activate,                                    \
      .recurrence_kept = recurrence_kept,                      \
      .recurrence_scratch = recurrence_scratch,                \
      .recurrence_forward = recurrence_forward,                \
      .recurrence_backward_of = recurrence_backward_of,        \
      .modulate = modulate,                                    \
      .modulate_backward = modulate_backward,                  \
      .add_gated = add_gated,                                  \
      .add_gated_backward = add_gated_backward,                \
  }
