// Attention over blocks of queries and keys, without storing the full matrix of scores.
//
// See Dao et al. 2022, FlashAttention, algorithm 1, https://arxiv.org/abs/2205.14135. Each lane
// holds one query of a head, so that running maxima and sums need no reduction across lanes.

#ifndef CKERNELS_ATTENTION_H
#define CKERNELS_ATTENTION_H

#include "AttentionAlone.h"
#include "Tile.h"

/// The state of one block of queries while it passes over the keys.
typedef struct {
  const ckernels_attention *work;
  storage kind;
  /// Keys and values of this head.
  const void *keys, *values;
  /// Position of the first lane's query, and the first key that any query sees.
  size_t position, seen;
  int vectors;
  float *query;   // [width units][lanes]
  float *scores;  // [KEYS][lanes]; then exp(score − largest), in pairs if values are
  float *answer;  // [width][lanes]
  word *pairs;    // [KEYS / 2][width]: neighbouring keys' values side by side
  vector largest[VECTORS], sum[VECTORS];
} query_block;

/// The lanes of vector v whose queries see a key, if the first lane's query is at `position`.
INLINE mask seeing(const ckernels_attention *work, size_t position, int v, size_t key) {
  integers positions = lane_numbers() + (int32_t)(position + (size_t)v * WIDTH);
  mask seen = (integers)(int32_t)key <= positions;
  return work->window ? seen & ((integers)(int32_t)(key + work->window) > positions) : seen;
}

/// Whether all queries from `position` on see all of `count` keys.
INLINE bool all_see(const ckernels_attention *work, size_t position, size_t first, size_t count) {
  return work->sees_all || (first + count <= position + 1 && !work->window);
}

/// Replaces scores by exp(score − largest so far), and rescales the earlier sums to the new
/// maximum.
INLINE void shares_of_scores(query_block *block, int vectors, size_t first, size_t count) {
  const ckernels_attention *work = block->work;
  const size_t lanes = (size_t)vectors * WIDTH;
  const bool whole = all_see(work, block->position, first, count);
  for (int v = 0; v < vectors; ++v) {
    vector largest = block->largest[v];
    for (size_t j = 0; j < count; ++j) {
      float *at = block->scores + j * lanes + v * WIDTH;
      vector score = load(at) * work->scale;
      if (!whole) score = chosen(seeing(work, block->position, v, first + j), score, all(-__builtin_inff()));
      store(at, score);
      largest = larger(largest, score);
    }
    vector shrink = exponential(block->largest[v] - largest);
    vector sum = block->sum[v] * shrink;
    if (any(block->largest[v] != largest))
      for (size_t d = 0; d < work->width; ++d) {
        float *at = block->answer + d * lanes + v * WIDTH;
        store(at, load(at) * shrink);
      }
    block->largest[v] = largest;
    for (size_t j = 0; j < count; ++j) {
      float *at = block->scores + j * lanes + v * WIDTH;
      vector share = exponential(load(at) - largest);
      sum += share;
      store(at, share);
    }
    block->sum[v] = sum;
  }
}

/// Packs the exponentials of two neighbouring keys into one word, in place; a missing neighbour
/// counts as 0.
static void pair_shares(float *scores, size_t lanes, size_t count) {
  for (size_t j = 0; j < count; j += 2)
    for (size_t i = 0; i < lanes; i += WIDTH) {
      vector low = load(scores + j * lanes + i);
      vector high = j + 1 < count ? load(scores + (j + 1) * lanes + i) : all(0);
      store(scores + j / 2 * lanes + i, paired(low, high));
    }
}

/// Packs the values of two neighbouring keys into one word; a missing neighbour, or one that no query
/// sees, counts as zeros.
static void pair_values(const query_block *block, size_t first, size_t count) {
  const size_t width = block->work->width, step = block->work->value_step;
  const uint16_t *values = (const uint16_t *)block->values + first * step;
  for (size_t j = 0; j < count; j += 2)
    for (size_t d = 0; d < width; d += WIDTH) {
      const size_t part = width - d;
      half_words none = (half_words)(uint16_t)0;
      half_words low = first + j >= block->seen ? load_part_of_halves(values + j * step + d, part) : none;
      half_words high = j + 1 < count ? load_part_of_halves(values + (j + 1) * step + d, part) : none;
      word_bits both = __builtin_convertvector(low, word_bits) | __builtin_convertvector(high, word_bits) << 16;
      store_part(block->pairs + j / 2 * width + d, part, (vector)both);
    }
}

static void attend(query_block *block, size_t first, size_t count) {
  const ckernels_attention *work = block->work;
  const storage kind = block->kind;
  const size_t key_step = units(kind, work->key_step), lanes = (size_t)block->vectors * WIDTH;
  product(kind, block->vectors, count, unit_at(kind, block->keys, first * key_step), key_step, 1, block->query,
          units(kind, work->width), block->scores, false);
  switch (block->vectors) {
    case 1: shares_of_scores(block, 1, first, count); break;
    case 2: shares_of_scores(block, 2, first, count); break;
#if TILE_VECTORS > 3
    case 4: shares_of_scores(block, 4, first, count); break;
#endif
#if TILE_VECTORS > 2
    default: shares_of_scores(block, 3, first, count); break;
#endif
  }
  if (kind == PAIRS) {
    pair_shares(block->scores, lanes, count);
    pair_values(block, first, count);
    product(kind, block->vectors, work->width, block->pairs, 1, work->width, block->scores, (count + 1) / 2,
            block->answer, true);
  } else {
    product(kind, block->vectors, work->width, unit_at(kind, block->values, first * work->value_step), 1,
            work->value_step, block->scores, count, block->answer, true);
  }
}

/// Passes over the keys before `end` that a query sees.
///
/// Blocks of keys, and pairs of bf16 values, begin at fixed multiples, so that a query's sums do not
/// depend on the queries beside it, nor on the part of a prompt that it was read in.
static void attend_to_all(query_block *block, size_t end) {
  block->seen = first_key(block->work, block->position);
  size_t key = block->kind == PAIRS ? block->seen / 2 * 2 : block->seen;
  while (key < end) {
    const size_t next = (key / KEYS + 1) * KEYS, last = next < end ? next : end;
    attend(block, key, last - key);
    key = last;
  }
}

/// Divides by the sums and transposes the lanes back into rows.
static void store_answers(const query_block *block, size_t count, size_t target) {
  const ckernels_attention *work = block->work;
  const size_t lanes = (size_t)block->vectors * WIDTH, step = work->heads * work->width;
  for (size_t d = 0; d < work->width; d += WIDTH)
    for (int v = 0; v < block->vectors; ++v) {
      vector turned[WIDTH];
      for (size_t i = 0; i < WIDTH; ++i)
        turned[i] = d + i < work->width ? load(block->answer + (d + i) * lanes + v * WIDTH) / block->sum[v] : all(0);
      transpose(turned);
      for (size_t i = 0; i < WIDTH && v * WIDTH + i < count; ++i)
        store_numbers(work->narrow, work->result, target + (v * WIDTH + i) * step + d, work->width - d, turned[i]);
    }
}

static size_t attention_blocks(const ckernels_attention *work) {
  return work->batch * work->heads * ((work->queries + LANES - 1) / LANES);
}

static size_t attention_scratch(const ckernels_attention *work) {
  return (work->width * LANES + KEYS * LANES + work->width * LANES + KEYS / 2 * work->width) * sizeof(word);
}

/// Packs the queries of a block, and begins with nothing seen.
static void begin(query_block *block, const void *query, size_t count) {
  const ckernels_attention *work = block->work;
  for (int v = 0; v < block->vectors; ++v) {
    const void *rows[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i)
      rows[i] = v * WIDTH + i < count
                    ? unit_at(block->kind, query, (v * WIDTH + i) * units(block->kind, work->query_step))
                    : NULL;
    pack_rows(block->kind, rows, work->width, block->query + v * WIDTH, (size_t)block->vectors * WIDTH);
    // Finite, so that the difference of two of them is not NaN.
    block->largest[v] = all(-__FLT_MAX__);
    block->sum[v] = all(0);
  }
  for (size_t i = 0; i < work->width * (size_t)block->vectors * WIDTH; ++i) block->answer[i] = 0;
}

static void attention_of_block(const ckernels_attention *work, size_t index, void *scratch) {
  const storage kind = storage_of(work->narrow);
  const size_t parts = (work->queries + LANES - 1) / LANES;
  const size_t part = index % parts, head = index / parts % work->heads, row = index / parts / work->heads;
  const size_t first_query = part * LANES, key_head = head / (work->heads / work->key_heads);
  const size_t count = work->queries - first_query < LANES ? work->queries - first_query : LANES;
  query_block block = {.work = work, .kind = kind};
  block.keys = unit_at(kind, work->key, units(kind, row * work->key_batch + key_head * work->key_head));
  block.values = unit_at(kind, work->value, units(kind, row * work->value_batch + key_head * work->value_head));
  block.position = work->keys - work->queries + first_query;
  block.vectors = (int)((count + WIDTH - 1) / WIDTH);
  block.query = scratch;
  block.scores = block.query + work->width * LANES;
  block.answer = block.scores + KEYS * LANES;
  block.pairs = (word *)block.answer + work->width * LANES;
  const size_t query = row * work->query_batch + head * work->query_head + first_query * work->query_step;
  const size_t result = (row * work->queries + first_query) * work->heads * work->width + head * work->width;
  const size_t log_sum = (row * work->heads + head) * work->queries + first_query;
  if (kind == F32 && count == 1) {
    const lone_query alone = {work, (const float *)work->query + query, block.keys, block.values, block.position};
    attend_alone(&alone, block.scores, block.answer, (float *)work->result + result,
                 work->log_sums ? work->log_sums + log_sum : NULL);
    return;
  }
  begin(&block, unit_at(kind, work->query, units(kind, query)), count);
  attend_to_all(&block, work->sees_all ? work->keys : block.position + count);
  store_answers(&block, count, result);
  for (size_t i = 0; i < count && work->log_sums; ++i)
    work->log_sums[log_sum + i] =
        block.largest[i / WIDTH][i % WIDTH] + __builtin_logf(block.sum[i / WIDTH][i % WIDTH]);
}

static void attention_run(const ckernels_attention *work, size_t first, size_t last, void *scratch) {
  for (size_t index = first; index < last; ++index) attention_of_block(work, index, scratch);
}

#endif
