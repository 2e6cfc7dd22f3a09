// Attention over blocks of queries and keys, without storing the full matrix of scores.
//
// See Dao et al. 2022, FlashAttention, algorithm 1, https://arxiv.org/abs/2205.14135. Each lane
// holds one query of a head, so that running maxima and sums need no reduction across lanes.

#include "Activation.h"
#include "CKernels.h"
#include "Tile.h"

#if defined(__x86_64__)

enum {
  /// Keys per block; even, because bf16 values are processed in pairs.
  KEYS = 64,
};

/// The state of one block of queries while it passes over the keys.
typedef struct {
  const ckernels_attention *work;
  /// Keys and values of this head.
  const word *keys, *values;
  /// Position of the first lane's query.
  size_t position;
  int vectors;
  word *query;      // [width words][lanes]
  float *scores;    // [KEYS][lanes]; then exp(score − largest), in pairs for bf16
  float *answer;    // [width][lanes]
  word *pairs;      // [KEYS / 2][width]: neighbouring keys' values side by side
  __m512 largest[LANES / WIDTH], sum[LANES / WIDTH];
} query_block;

static size_t words(const ckernels_attention *work, size_t count) { return work->narrow ? count / 2 : count; }

/// A mask of the lanes whose queries see a key.
INLINE __mmask16 seeing(const query_block *block, int vector, size_t key) {
  const size_t window = block->work->window;
  __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __m512i position =
      _mm512_add_epi32(lane, _mm512_set1_epi32((int)block->position + vector * WIDTH));
  __mmask16 mask = _mm512_cmple_epi32_mask(_mm512_set1_epi32((int)key), position);
  if (window)
    mask &= _mm512_cmpgt_epi32_mask(_mm512_set1_epi32((int)(key + window)), position);
  return mask;
}

/// Replaces scores by exp(score − largest so far), and rescales the earlier sums to the new
/// maximum.
INLINE void shares_of_scores(query_block *block, int vectors, size_t first, size_t count) {
  const ckernels_attention *work = block->work;
  const size_t lanes = (size_t)vectors * WIDTH;
  const __m512 scale = _mm512_set1_ps(work->scale);
  const bool all_see = work->sees_all || (first + count <= block->position + 1 && !work->window);
  for (int v = 0; v < vectors; ++v) {
    __m512 largest = block->largest[v];
    for (size_t j = 0; j < count; ++j) {
      float *at = block->scores + j * lanes + v * WIDTH;
      __m512 score = _mm512_mul_ps(_mm512_loadu_ps(at), scale);
      if (!all_see)
        score = _mm512_mask_mov_ps(_mm512_set1_ps(-__builtin_inff()), seeing(block, v, first + j), score);
      _mm512_storeu_ps(at, score);
      largest = _mm512_max_ps(largest, score);
    }
    __m512 shrink = exponential(_mm512_sub_ps(block->largest[v], largest));
    __m512 sum = _mm512_mul_ps(block->sum[v], shrink);
    if (_mm512_cmp_ps_mask(block->largest[v], largest, _CMP_NEQ_UQ))
      for (size_t d = 0; d < work->width; ++d) {
        float *at = block->answer + d * lanes + v * WIDTH;
        _mm512_storeu_ps(at, _mm512_mul_ps(_mm512_loadu_ps(at), shrink));
      }
    block->largest[v] = largest;
    for (size_t j = 0; j < count; ++j) {
      float *at = block->scores + j * lanes + v * WIDTH;
      __m512 share = exponential(_mm512_sub_ps(_mm512_loadu_ps(at), largest));
      sum = _mm512_add_ps(sum, share);
      _mm512_storeu_ps(at, share);
    }
    block->sum[v] = sum;
  }
}

/// Packs the exponentials of two neighbouring keys into one word, in place; a missing neighbour
/// counts as 0.
FAST static void pair_shares(float *scores, size_t lanes, size_t count) {
  for (size_t j = 0; j < count; j += 2)
    for (size_t i = 0; i < lanes; i += WIDTH) {
      __m512 low = _mm512_loadu_ps(scores + j * lanes + i);
      __m512 high = j + 1 < count ? _mm512_loadu_ps(scores + (j + 1) * lanes + i) : _mm512_setzero_ps();
      _mm512_storeu_ps(scores + j / 2 * lanes + i, paired(low, high));
    }
}

/// Packs the values of two neighbouring keys into one word; a missing neighbour counts as zeros.
FAST static void pair_values(const query_block *block, size_t first, size_t count) {
  const size_t width = block->work->width, step = block->work->value_step;
  const uint16_t *values = (const uint16_t *)block->values + first * step;
  for (size_t j = 0; j < count; j += 2)
    for (size_t d = 0; d < width; d += WIDTH) {
      __mmask16 lanes = low_lanes(width - d);
      __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, values + j * step + d));
      __m512i high = j + 1 < count ? _mm512_cvtepu16_epi32(
                                         _mm256_maskz_loadu_epi16(lanes, values + (j + 1) * step + d))
                                   : _mm512_setzero_si512();
      _mm512_mask_storeu_epi32(block->pairs + j / 2 * width + d, lanes,
                               _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
}

FAST static void attend(query_block *block, size_t first, size_t count) {
  const ckernels_attention *work = block->work;
  const size_t key_step = words(work, work->key_step), lanes = (size_t)block->vectors * WIDTH;
  product(work->narrow, block->vectors, count, block->keys + first * key_step, key_step, 1, block->query,
          words(work, work->width), block->scores, false);
  switch (block->vectors) {
    case 1: shares_of_scores(block, 1, first, count); break;
    case 2: shares_of_scores(block, 2, first, count); break;
    default: shares_of_scores(block, 3, first, count); break;
  }
  if (work->narrow) {
    pair_shares(block->scores, lanes, count);
    pair_values(block, first, count);
    product(true, block->vectors, work->width, block->pairs, 1, work->width, block->scores,
            (count + 1) / 2, block->answer, true);
  } else {
    product(false, block->vectors, work->width, block->values + first * work->value_step, 1,
            work->value_step, block->scores, count, block->answer, true);
  }
}

/// Divides by the sums and transposes the lanes back into rows.
FAST static void store_answers(const query_block *block, size_t count, size_t target) {
  const ckernels_attention *work = block->work;
  const size_t lanes = (size_t)block->vectors * WIDTH, step = work->heads * work->width;
  for (size_t d = 0; d < work->width; d += WIDTH)
    for (int v = 0; v < block->vectors; ++v) {
      __m512 turned[WIDTH];
      for (size_t i = 0; i < WIDTH; ++i)
        turned[i] = d + i < work->width
                        ? _mm512_div_ps(_mm512_loadu_ps(block->answer + (d + i) * lanes + v * WIDTH),
                                        block->sum[v])
                        : _mm512_setzero_ps();
      transpose(turned);
      __mmask16 valid = low_lanes(work->width - d);
      for (size_t i = 0; i < WIDTH && v * WIDTH + i < count; ++i) {
        size_t at = target + (v * WIDTH + i) * step + d;
        if (work->narrow)
          _mm256_mask_storeu_epi16((uint16_t *)work->result + at, valid, narrowed(turned[i]));
        else
          _mm512_mask_storeu_ps((float *)work->result + at, valid, turned[i]);
      }
    }
}

size_t ckernels_attention_blocks(const ckernels_attention *work) {
  return work->batch * work->heads * ((work->queries + LANES - 1) / LANES);
}

size_t ckernels_attention_scratch(const ckernels_attention *work) {
  return (words(work, work->width) * LANES + KEYS * LANES + work->width * LANES + KEYS / 2 * work->width) *
         sizeof(word);
}

FAST static void one_block(const ckernels_attention *work, size_t index, void *scratch) {
  const size_t parts = (work->queries + LANES - 1) / LANES;
  const size_t part = index % parts, head = index / parts % work->heads, row = index / parts / work->heads;
  const size_t first_query = part * LANES, key_head = head / (work->heads / work->key_heads);
  const size_t count = work->queries - first_query < LANES ? work->queries - first_query : LANES;
  query_block block = {.work = work};
  block.keys = (const word *)work->key + words(work, row * work->key_batch + key_head * work->key_head);
  block.values = (const word *)work->value + words(work, row * work->value_batch + key_head * work->value_head);
  block.position = work->keys - work->queries + first_query;
  block.vectors = (int)((count + WIDTH - 1) / WIDTH);
  block.query = scratch;
  block.scores = block.query + words(work, work->width) * LANES;
  block.answer = block.scores + KEYS * LANES;
  block.pairs = block.answer + work->width * LANES;
  const word *query = (const word *)work->query +
                      words(work, row * work->query_batch + head * work->query_head + first_query * work->query_step);
  for (int v = 0; v < block.vectors; ++v) {
    const word *rows[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i)
      rows[i] = v * WIDTH + i < count ? query + (v * WIDTH + i) * words(work, work->query_step) : NULL;
    pack_rows(rows, words(work, work->width), block.query + v * WIDTH, (size_t)block.vectors * WIDTH);
    // Finite, so that the difference of two of them is not NaN.
    block.largest[v] = _mm512_set1_ps(-__FLT_MAX__);
    block.sum[v] = _mm512_setzero_ps();
  }
  for (size_t i = 0; i < work->width * (size_t)block.vectors * WIDTH; ++i) block.answer[i] = 0;
  size_t key = work->window && block.position + 1 > work->window ? block.position + 1 - work->window : 0;
  for (size_t end = work->sees_all ? work->keys : block.position + count; key < end; key += KEYS)
    attend(&block, key, end - key < KEYS ? end - key : KEYS);
  store_answers(&block, count, (row * work->queries + first_query) * work->heads * work->width + head * work->width);
}

void ckernels_attention_run(const ckernels_attention *work, size_t first, size_t last, void *scratch) {
  for (size_t index = first; index < last; ++index) one_block(work, index, scratch);
}

#else

size_t ckernels_attention_blocks(const ckernels_attention *work) { return 0; }
size_t ckernels_attention_scratch(const ckernels_attention *work) { return 0; }
void ckernels_attention_run(const ckernels_attention *work, size_t first, size_t last, void *scratch) {}

#endif
