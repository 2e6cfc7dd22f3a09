// Gradients of attention, block by block, without storing the full matrix of scores.
//
//     P = exp(scale · Q Kᵀ − log sums),  O = P V                               (forward)
//     ∂V = Pᵀ ∂O,  ∂P = ∂O Vᵀ,  ∂S = scale · P ⊙ (∂P − rowsum(∂O ⊙ O)),  ∂Q = ∂S K,  ∂K = ∂Sᵀ Q
//
// See Dao 2023, FlashAttention-2, algorithm 2, https://arxiv.org/abs/2307.08691. One call owns a key
// head, so that its gradients are summed in one order.

#include "Activation.h"
#include "Attention.h"
#include "CKernels.h"
#include "Tile.h"

/// A key head, and one block of queries at a time.
typedef struct {
  const ckernels_attention_backward *work;
  const ckernels_attention *forward;
  /// How rows of the caller are stored for products along them, and across them.
  storage along, across;
  const void *keys, *values;
  /// Elements of a row in scratch memory: `width`, in whole vectors.
  size_t row;
  float *key_gradients, *value_gradients;  // [keys][row]
  // One block of queries:
  size_t position, count;
  int vectors;
  float *query, *gradient;            // packed, [width][lanes]
  float *query_rows, *gradient_rows;  // f32, [lanes][row]
  float *log_sums, *offsets;          // [lanes]
  float *query_gradient;              // packed, [width][lanes]
  float *shares, *changes;            // P and ∂S, [KEYS][lanes]
} backward_head;

static size_t attention_backward_scratch(const ckernels_attention_backward *work) {
  const ckernels_attention *f = work->forward;
  const size_t row = (f->width + WIDTH - 1) / WIDTH * WIDTH;
  return (2 * f->keys * row + LANES * (3 * f->width + 2 * row + 2 + 2 * KEYS)) * sizeof(float);
}

/// Copies a block's rows as f32, with zeros behind them.
static void copy_block(const backward_head *h, const void *from, size_t step, float *rows) {
  const size_t width = h->forward->width;
  for (size_t i = 0; i < h->count; ++i)
    for (size_t k = 0; k < width; k += WIDTH)
      store(rows + i * h->row + k, numbers(h->forward->narrow, from, i * step + k, width - k));
}

static void pack_queries(const backward_head *h, const void *from, size_t step, float *packed) {
  for (int v = 0; v < h->vectors; ++v) {
    const void *rows[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i) {
      size_t lane = (size_t)v * WIDTH + i;
      rows[i] = lane < h->count ? unit_at(h->along, from, lane * units(h->along, step)) : NULL;
    }
    pack_rows(h->along, rows, h->forward->width, packed + v * WIDTH, (size_t)h->vectors * WIDTH);
  }
}

/// rowsum(∂O ⊙ O) of each query, and its log sum.
static void fill_offsets(const backward_head *h, const void *answers, size_t step, const float *log_sums) {
  const size_t width = h->forward->width;
  for (size_t i = 0; i < LANES; ++i) h->offsets[i] = h->log_sums[i] = 0;
  for (size_t i = 0; i < h->count; ++i) {
    vector sum = all(0);
    for (size_t k = 0; k < width; k += WIDTH)
      sum = fused(load(h->gradient_rows + i * h->row + k), numbers(h->forward->narrow, answers, i * step + k, width - k),
                  sum);
    h->offsets[i] = sum_of(sum);
    h->log_sums[i] = log_sums[i];
  }
}

/// Turns scores into P and the gradients of P, in `changes`, into ∂S.
static void shares_backward(const backward_head *h, size_t first, size_t count) {
  const ckernels_attention *f = h->forward;
  const size_t lanes = (size_t)h->vectors * WIDTH;
  const bool whole = all_see(f, h->position, first, count);
  for (size_t j = 0; j < count; ++j)
    for (int v = 0; v < h->vectors; ++v) {
      const size_t at = j * lanes + (size_t)v * WIDTH;
      vector share = exponential(load(h->shares + at) * f->scale - load(h->log_sums + v * WIDTH));
      vector change = share * (load(h->changes + at) - load(h->offsets + v * WIDTH)) * f->scale;
      // Scores that a query does not see may be anything, even infinite.
      const mask seen = whole ? (mask)(all(0) == all(0)) : seeing(f, h->position, v, first + j);
      store(h->shares + at, chosen(seen, share, all(0)));
      store(h->changes + at, chosen(seen, change, all(0)));
    }
}

/// to[key][column] += Σ_lane packed[key][lane] · rows[lane][column].
static void add_to_keys(const backward_head *h, const float *packed, size_t keys, const float *rows, float *to) {
  product_over_lanes(packed, keys, (size_t)h->vectors * WIDTH, h->count, rows, h->row, to, true);
}

static void backward_of_keys(const backward_head *h, size_t first, size_t count) {
  const ckernels_attention *f = h->forward;
  const size_t key_step = units(h->along, f->key_step), value_step = units(h->along, f->value_step);
  product(h->along, h->vectors, count, unit_at(h->along, h->keys, first * key_step), key_step, 1, h->query,
          units(h->along, f->width), h->shares, false);
  product(h->along, h->vectors, count, unit_at(h->along, h->values, first * value_step), value_step, 1, h->gradient,
          units(h->along, f->width), h->changes, false);
  shares_backward(h, first, count);
  add_to_keys(h, h->shares, count, h->gradient_rows, h->value_gradients + first * h->row);
  add_to_keys(h, h->changes, count, h->query_rows, h->key_gradients + first * h->row);
  product(h->across, h->vectors, f->width, unit_at(h->across, h->keys, first * f->key_step), 1, f->key_step, h->changes,
          count, h->query_gradient, true);
}

/// One block of queries of one head.
static void backward_of_queries(backward_head *h, size_t row, size_t head, size_t first_query) {
  const ckernels_attention *f = h->forward;
  const size_t step = f->heads * f->width, target = (row * f->queries + first_query) * step + head * f->width;
  h->position = f->keys - f->queries + first_query;
  h->count = f->queries - first_query < LANES ? f->queries - first_query : LANES;
  h->vectors = (int)((h->count + WIDTH - 1) / WIDTH);
  const size_t size = f->narrow ? 2 : 4;
  const void *query =
      (const char *)f->query + size * (row * f->query_batch + head * f->query_head + first_query * f->query_step);
  const void *gradient = (const char *)h->work->gradient + size * target;
  pack_queries(h, query, f->query_step, h->query);
  pack_queries(h, gradient, step, h->gradient);
  copy_block(h, query, f->query_step, h->query_rows);
  copy_block(h, gradient, step, h->gradient_rows);
  fill_offsets(h, (const char *)f->result + size * target, step,
               f->log_sums + (row * f->heads + head) * f->queries + first_query);
  const size_t lanes = (size_t)h->vectors * WIDTH;
  for (size_t i = 0; i < f->width * lanes; ++i) h->query_gradient[i] = 0;
  size_t key = first_key(f, h->position);
  for (size_t end = f->sees_all ? f->keys : h->position + h->count; key < end; key += KEYS)
    backward_of_keys(h, key, end - key < KEYS ? end - key : KEYS);
  for (size_t d = 0; d < f->width; d += WIDTH)
    store_turned(h->query_gradient + d * lanes, f->width - d < WIDTH ? f->width - d : WIDTH, h->vectors, h->count,
                 f->narrow, h->work->query_gradient, target + d, step);
}

/// Stores the sums of a key head in the caller's type.
static void store_key_gradients(const backward_head *h, const float *sums, void *to, size_t row, size_t key_head) {
  const ckernels_attention *f = h->forward;
  for (size_t key = 0; key < f->keys; ++key)
    for (size_t d = 0; d < f->width; d += WIDTH)
      store_numbers(f->narrow, to, ((row * f->keys + key) * f->key_heads + key_head) * f->width + d, f->width - d,
                    load(sums + key * h->row + d));
}

static void attention_backward_of(const ckernels_attention_backward *work, size_t index, void *scratch) {
  const ckernels_attention *f = work->forward;
  const size_t row = index / f->key_heads, key_head = index % f->key_heads, size = f->narrow ? 2 : 4;
  backward_head h = {.work = work, .forward = f, .along = storage_of(f->narrow)};
  h.across = f->narrow ? WIDENED : F32;
  h.keys = (const char *)f->key + size * (row * f->key_batch + key_head * f->key_head);
  h.values = (const char *)f->value + size * (row * f->value_batch + key_head * f->value_head);
  h.row = (f->width + WIDTH - 1) / WIDTH * WIDTH;
  h.key_gradients = scratch;
  h.value_gradients = h.key_gradients + f->keys * h.row;
  h.query_rows = h.value_gradients + f->keys * h.row;
  h.gradient_rows = h.query_rows + LANES * h.row;
  h.query = h.gradient_rows + LANES * h.row;
  h.gradient = h.query + LANES * f->width;
  h.query_gradient = h.gradient + LANES * f->width;
  h.log_sums = h.query_gradient + LANES * f->width;
  h.offsets = h.log_sums + LANES;
  h.shares = h.offsets + LANES;
  h.changes = h.shares + LANES * KEYS;
  for (size_t i = 0; i < 2 * f->keys * h.row; ++i) h.key_gradients[i] = 0;
  const size_t group = f->heads / f->key_heads;
  for (size_t head = key_head * group; head < (key_head + 1) * group; ++head)
    for (size_t first = 0; first < f->queries; first += LANES) backward_of_queries(&h, row, head, first);
  store_key_gradients(&h, h.key_gradients, work->key_gradient, row, key_head);
  store_key_gradients(&h, h.value_gradients, work->value_gradient, row, key_head);
}
