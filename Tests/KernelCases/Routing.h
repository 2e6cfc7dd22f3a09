// Experts, and the rows that are routed to them.
#ifndef KERNEL_CASES_ROUTING_H
#define KERNEL_CASES_ROUTING_H

#include "Trial.h"

enum { EXPERTS = 6 };

/// Rows for experts: as many as fill no block, one lane, a vector, a block, and more than a block.
typedef struct {
  size_t tokens, assignments, blocks, lanes;
  /// Expert e has the blocks starts[e] to starts[e + 1] - 1.
  size_t starts[EXPERTS + 1];
  ckernels_block block[2 * EXPERTS];
  /// The token of each assignment. The last token has none, the others have several or none.
  int32_t *rows;
} routing;

routing routed(trial *t);

/// The expert of an assignment, and the place of the assignment's value n in what experts keep.
size_t expert_of(const routing *r, size_t assignment);
size_t kept_place(const trial *t, const routing *r, size_t assignment, size_t inner, size_t n);

/// Random weights of experts, in the layouts of `ckernels_experts`.
typedef struct {
  const void *gate[EXPERTS], *up[EXPERTS], *down[EXPERTS], *up_bias[EXPERTS], *down_bias[EXPERTS];
} expert_weights;

/// Fills `weights` and a description of work that refers to them; `options` are those of cases.
ckernels_experts experts_work(trial *t, unsigned options, const routing *r, size_t hidden, size_t inner,
                              expert_weights *weights);

/// A number, and how far off a kernel's may be.
typedef struct {
  double value, error;
} estimate;

/// Products of one expert's weights with one row before the activation.
typedef struct {
  estimate gate, up;
} inner_products;

inner_products products_of(const ckernels_experts *work, size_t expert, size_t token, size_t n);
/// The inner value after the activation.
estimate inner_value(const ckernels_experts *work, inner_products p);

#endif
