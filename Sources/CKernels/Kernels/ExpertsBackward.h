// Gradients of feed-forward experts, expert by expert and block by block, summed in f32.
//
//     h = act(g) ⊙ u,  y = down · h + b,  answer += weight · y      (forward; g and u were kept)
//     ∂h = downᵀ · ∂answer,  ∂weight = h · ∂h + b · ∂answer,  then all with ∂answer · weight:
//     ∂g = ∂h ⊙ u ⊙ act'(g),  ∂u = ∂h ⊙ act(g),  ∂x = gateᵀ · ∂g + upᵀ · ∂u
//     ∂gate += ∂g · xᵀ,  ∂up += ∂u · xᵀ,  ∂down += ∂answer · hᵀ,  biases: the sums of ∂u and of ∂answer
//
// Weights and rows of bf16 are widened: these products read weights across their rows, where
// numbers to be multiplied in pairs do not lie side by side.

#include "Activation.h"
#include "CKernels.h"
#include "ExpertBlocks.h"
#include "Tile.h"

INLINE storage backward_storage(const ckernels_experts *work) { return work->narrow ? WIDENED : F32; }

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
INLINE vector lane_weights(const backward_block *b, int v) {
  size_t start = (size_t)v * WIDTH;
  return load_part(b->work->weights + b->block->first + start, b->block->count - start);
}

/// Gradients through the activation, and of the assignments' weights.
static void through_activation(const backward_block *b) {
  const ckernels_experts *f = b->work->forward;
  const size_t kept = b->block->lane * f->inner;
  for (int v = 0; v < b->vectors; ++v) {
    const vector weight = lane_weights(b, v);
    vector sum = all(0);
    for (size_t n = 0; n < f->inner; ++n) {
      const size_t at = n * b->lanes + v * WIDTH;
      vector u = load(f->up_values + kept + at), slope;
      // b->up holds ∂h so far.
      vector gradient = load(b->up + at), h;
      vector weighted = gradient * weight;
      if (f->gate) {
        vector activation = activated_with_slope(f->activation, load(f->gate_values + kept + at), &slope);
        h = activation * u;
        store(b->gate + at, weighted * u * slope);
        store(b->up + at, weighted * activation);
      } else {
        h = activated_with_slope(f->activation, u, &slope);
        store(b->up + at, weighted * slope);
      }
      sum = fused(h, gradient, sum);
      store(b->inner + at, h);
    }
    size_t start = (size_t)v * WIDTH;
    const void *bias = f->down_bias ? f->down_bias[b->block->expert] : NULL;
    for (size_t n = 0; n < f->hidden; ++n) {
      float *at = b->answers + n * b->lanes + start;
      vector gradient = load(at);
      if (bias) sum = fused(all(number(f->narrow, bias, n)), gradient, sum);
      store(at, gradient * weight);
    }
    store_part(b->work->weight_gradients + b->block->first + start, b->block->count - start, sum);
  }
}

static void row_gradients(const backward_block *b) {
  const ckernels_experts *f = b->work->forward;
  const size_t e = b->block->expert;
  const storage kind = backward_storage(f);
  float packed[WIDTH * LANES];
  for (size_t k = 0; k < f->hidden; k += WIDTH) {
    product(kind, b->vectors, WIDTH, unit_at(kind, f->up[e], k), 1, f->hidden, b->up, f->inner, packed, false);
    if (f->gate)
      product(kind, b->vectors, WIDTH, unit_at(kind, f->gate[e], k), 1, f->hidden, b->gate, f->inner, packed, true);
    store_turned(packed, WIDTH, b->vectors, b->block->count, false, b->work->row_gradients,
                 b->block->first * f->hidden + k, f->hidden);
  }
}

/// to[r][column] (+)= Σ_lane packed[r][lane] · rows[lane][column].
static void weight_gradient(const backward_block *b, const float *packed, size_t count, const float *rows,
                            size_t columns, float *to) {
  product_over_lanes(packed, count, b->lanes, b->block->count, rows, columns, to, b->adds);
}

/// to[r] (+)= Σ_lane packed[r][lane]; lanes without an assignment hold 0.
static void bias_gradient(const backward_block *b, const float *packed, size_t count, float *to) {
  for (size_t r = 0; r < count; ++r) {
    vector sum = all(0);
    for (int v = 0; v < b->vectors; ++v) sum += load(packed + r * b->lanes + v * WIDTH);
    to[r] = (b->adds ? to[r] : 0) + sum_of(sum);
  }
}

/// Copies the block's rows of x, as f32.
static void copy_rows(const backward_block *b) {
  const ckernels_experts *f = b->work->forward;
  for (size_t i = 0; i < b->block->count; ++i) {
    const size_t row = (size_t)f->rows[b->block->first + i] * f->hidden;
    for (size_t k = 0; k < f->hidden; k += WIDTH)
      store(b->rows + i * f->hidden + k, numbers(f->narrow, f->x, row + k, WIDTH));
  }
}

static void backward_of_block(backward_block *b) {
  const ckernels_experts *f = b->work->forward;
  const size_t e = b->block->expert;
  const storage kind = backward_storage(f);
  pack_block(f, kind, b->work->gradient, b->block, b->vectors, b->answers);
  product(kind, b->vectors, f->inner, f->down[e], 1, f->inner, b->answers, f->hidden, b->up, false);
  through_activation(b);
  row_gradients(b);
  copy_rows(b);
  for (size_t n = 0; n < f->inner; n += WIDTH)
    store_turned(b->inner + n * b->lanes, WIDTH, b->vectors, b->block->count, false, b->inner_rows, n, f->inner);
  if (f->gate) weight_gradient(b, b->gate, f->inner, b->rows, f->hidden, b->work->gate[e]);
  weight_gradient(b, b->up, f->inner, b->rows, f->hidden, b->work->up[e]);
  weight_gradient(b, b->answers, f->hidden, b->inner_rows, f->inner, b->work->down[e]);
  if (b->work->up_bias) bias_gradient(b, b->up, f->inner, b->work->up_bias[e]);
  if (b->work->down_bias) bias_gradient(b, b->answers, f->hidden, b->work->down_bias[e]);
}

static size_t experts_backward_scratch(const ckernels_experts_backward *work) {
  return (2 * work->forward->hidden + 4 * work->forward->inner) * LANES * sizeof(float);
}

static void experts_backward_of(const ckernels_experts_backward *work, size_t expert, void *scratch) {
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
    backward_of_block(&b);
  }
}
