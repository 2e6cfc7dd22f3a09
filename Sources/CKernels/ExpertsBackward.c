// Gradients of feed-forward experts, expert by expert and block by block, in f32.
//
//     h = act(g) ⊙ u,  y = down · h + b,  answer += weight · y      (forward; g and u were kept)
//     ∂h = downᵀ · ∂answer,  ∂weight = h · ∂h + b · ∂answer,  then all with ∂answer · weight:
//     ∂g = ∂h ⊙ u ⊙ act'(g),  ∂u = ∂h ⊙ act(g),  ∂x = gateᵀ · ∂g + upᵀ · ∂u
//     ∂gate += ∂g · xᵀ,  ∂up += ∂u · xᵀ,  ∂down += ∂answer · hᵀ,  biases: the sums of ∂u and of ∂answer

#include "Activation.h"
#include "CKernels.h"
#include "ExpertBlocks.h"
#include "Tile.h"

#if defined(__x86_64__)

/// One block of rows in the backward pass. "Packed" means [elements][lanes].
typedef struct {
  const ckernels_experts_backward *work;
  const ckernels_block *block;
  int vectors;
  size_t lanes;
  /// Whether the expert's gradients already hold sums of earlier blocks.
  bool adds;
  float *answers;    // packed gradients of the outputs, [hidden]
  float *gate, *up;  // packed gradients of inner products, [inner]
  float *inner;      // packed h; later unused
  float *rows;       // x as rows, [lanes][hidden]
  float *inner_rows; // h as rows, [lanes][inner]
} backward_block;

/// The weight of each lane's assignment; lanes without an assignment hold 0.
INLINE __m512 lane_weights(const backward_block *b, int v) {
  size_t start = (size_t)v * WIDTH;
  return _mm512_maskz_loadu_ps(low_lanes(b->block->count - start), b->work->weights + b->block->first + start);
}

/// Gradients through the activation, and of the assignments' weights.
FAST static void through_activation(const backward_block *b) {
  const ckernels_experts *f = b->work->forward;
  const size_t kept = b->block->lane * f->inner;
  for (int v = 0; v < b->vectors; ++v) {
    const __m512 weight = lane_weights(b, v);
    __m512 sum = _mm512_setzero_ps();
    for (size_t n = 0; n < f->inner; ++n) {
      const size_t at = n * b->lanes + v * WIDTH;
      __m512 u = _mm512_loadu_ps(f->up_values + kept + at), slope;
      // b->up holds ∂h so far.
      __m512 gradient = _mm512_loadu_ps(b->up + at), h;
      __m512 weighted = _mm512_mul_ps(gradient, weight);
      if (f->gate) {
        __m512 g = _mm512_loadu_ps(f->gate_values + kept + at);
        __m512 activation = activated_with_slope(f->activation, g, &slope);
        h = _mm512_mul_ps(activation, u);
        _mm512_storeu_ps(b->gate + at, _mm512_mul_ps(_mm512_mul_ps(weighted, u), slope));
        _mm512_storeu_ps(b->up + at, _mm512_mul_ps(weighted, activation));
      } else {
        h = activated_with_slope(f->activation, u, &slope);
        _mm512_storeu_ps(b->up + at, _mm512_mul_ps(weighted, slope));
      }
      sum = _mm512_fmadd_ps(h, gradient, sum);
      _mm512_storeu_ps(b->inner + at, h);
    }
    size_t start = (size_t)v * WIDTH;
    const float *bias = f->down_bias ? f->down_bias[b->block->expert] : NULL;
    for (size_t n = 0; n < f->hidden; ++n) {
      float *at = b->answers + n * b->lanes + start;
      __m512 gradient = _mm512_loadu_ps(at);
      if (bias) sum = _mm512_fmadd_ps(_mm512_set1_ps(bias[n]), gradient, sum);
      _mm512_storeu_ps(at, _mm512_mul_ps(gradient, weight));
    }
    _mm512_mask_storeu_ps(b->work->weight_gradients + b->block->first + start,
                          low_lanes(b->block->count - start), sum);
  }
}

FAST static void row_gradients(const backward_block *b) {
  const ckernels_experts *f = b->work->forward;
  const size_t e = b->block->expert;
  float packed[WIDTH * LANES];
  for (size_t k = 0; k < f->hidden; k += WIDTH) {
    product(false, b->vectors, WIDTH, (const word *)f->up[e] + k, 1, f->hidden, b->up, f->inner, packed, false);
    if (f->gate)
      product(false, b->vectors, WIDTH, (const word *)f->gate[e] + k, 1, f->hidden, b->gate, f->inner, packed, true);
    store_turned(packed, WIDTH, b->vectors, b->block->count,
                 b->work->row_gradients + b->block->first * f->hidden + k, f->hidden);
  }
}

/// to[r][column] (+)= Σ_lane packed[r][lane] · rows[lane][column].
FAST static void weight_gradient(const backward_block *b, const float *packed, size_t count, const float *rows,
                                 size_t columns, float *to) {
  for (size_t c = 0; c < columns; c += LANES) {
    int vectors = columns - c < LANES ? (int)((columns - c) / WIDTH) : LANES / WIDTH;
    strided_product(false, vectors, count,
                    (operands){packed, b->lanes, 1, rows + c, columns, b->block->count, to + c, columns, b->adds});
  }
}

/// to[r] (+)= Σ_lane packed[r][lane]; lanes without an assignment hold 0.
FAST static void bias_gradient(const backward_block *b, const float *packed, size_t count, float *to) {
  for (size_t r = 0; r < count; ++r) {
    __m512 sum = _mm512_setzero_ps();
    for (int v = 0; v < b->vectors; ++v) sum = _mm512_add_ps(sum, _mm512_loadu_ps(packed + r * b->lanes + v * WIDTH));
    to[r] = (b->adds ? to[r] : 0) + _mm512_reduce_add_ps(sum);
  }
}

FAST static void one_block(backward_block *b) {
  const ckernels_experts *f = b->work->forward;
  const size_t e = b->block->expert;
  pack_block(f, b->work->gradient, b->block, b->vectors, b->answers);
  product(false, b->vectors, f->inner, f->down[e], 1, f->inner, b->answers, f->hidden, b->up, false);
  through_activation(b);
  row_gradients(b);
  for (size_t i = 0; i < b->block->count; ++i) {
    const float *x = (const float *)f->x + (size_t)f->rows[b->block->first + i] * f->hidden;
    __builtin_memcpy(b->rows + i * f->hidden, x, f->hidden * sizeof(float));
  }
  for (size_t n = 0; n < f->inner; n += WIDTH)
    store_turned(b->inner + n * b->lanes, WIDTH, b->vectors, b->block->count, b->inner_rows + n, f->inner);
  if (f->gate) weight_gradient(b, b->gate, f->inner, b->rows, f->hidden, b->work->gate[e]);
  weight_gradient(b, b->up, f->inner, b->rows, f->hidden, b->work->up[e]);
  weight_gradient(b, b->answers, f->hidden, b->inner_rows, f->inner, b->work->down[e]);
  if (b->work->up_bias) bias_gradient(b, b->up, f->inner, b->work->up_bias[e]);
  if (b->work->down_bias) bias_gradient(b, b->answers, f->hidden, b->work->down_bias[e]);
}

size_t ckernels_experts_backward_scratch(const ckernels_experts_backward *work) {
  return (2 * work->forward->hidden + 4 * work->forward->inner) * LANES * sizeof(float);
}

void ckernels_experts_backward_of(const ckernels_experts_backward *work, size_t expert, void *scratch) {
  const ckernels_experts *f = work->forward;
  for (size_t i = work->starts[expert]; i < work->starts[expert + 1]; ++i) {
    backward_block b = {.work = work, .block = f->blocks + i, .adds = i > work->starts[expert]};
    b.vectors = (int)((b.block->count + WIDTH - 1) / WIDTH);
    b.lanes = (size_t)b.vectors * WIDTH;
    b.answers = scratch;
    b.gate = b.answers + f->hidden * LANES;
    b.up = b.gate + f->inner * LANES;
    b.inner = b.up + f->inner * LANES;
    b.rows = b.inner + f->inner * LANES;
    b.inner_rows = b.rows + f->hidden * LANES;
    one_block(&b);
  }
}

#else

size_t ckernels_experts_backward_scratch(const ckernels_experts_backward *work) { return 0; }
void ckernels_experts_backward_of(const ckernels_experts_backward *work, size_t expert, void *scratch) {}

#endif
