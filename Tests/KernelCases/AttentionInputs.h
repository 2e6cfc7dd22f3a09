// The inputs of attention, and the weights of keys in f64.
#ifndef KERNEL_CASES_ATTENTION_INPUTS_H
#define KERNEL_CASES_ATTENTION_INPUTS_H

#include "Trial.h"

/// Options of attention. LARGE: scores far beyond the range of exponentials. SPECIAL: a query of
/// the first head is NaN.
enum { SEES_ALL = 2, WINDOW = 4, LARGE = 8, SPECIAL = 16 };

typedef struct {
  size_t batch, heads, key_heads, width, queries, keys;
} attention_shape;

/// Random inputs with `gap` NaN between rows; keys and values that no query sees are NaN, too.
/// `query_size` is the size of large scores' queries.
ckernels_attention attention_work(trial *t, unsigned options, attention_shape s, size_t window, size_t gap,
                                  double query_size);

/// Whether a query sees a key.
bool sees(const ckernels_attention *work, size_t query, size_t key);

/// One query of one head of one row of the batch.
typedef struct {
  size_t row, head, query;
} attention_place;

/// Where the elements of a query's result begin.
size_t result_at(const ckernels_attention *work, attention_place p);
/// Where the elements of a query, or of a key or value that it may see, begin.
size_t query_at(const ckernels_attention *work, attention_place p);
size_t key_at(const ckernels_attention *work, attention_place p, size_t key);
size_t value_at(const ckernels_attention *work, attention_place p, size_t key);

/// What a query sees.
typedef struct {
  /// The logarithm of the sum of the scores' exponentials, and how far off a kernel's may be.
  double log_sum, log_sum_error;
  /// The relative error of a weight in f32.
  double error;
} attention_view;

/// Fills `weights` with the weight of each key, 0 for those that the query does not see.
attention_view weigh(const ckernels_attention *work, unsigned options, attention_place p, double *weights);

/// Computes all pieces at once, or one by one in random order.
void run_attention(trial *t, const ckernels_attention *work);

#endif
