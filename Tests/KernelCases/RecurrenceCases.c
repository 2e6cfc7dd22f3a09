// Gated recurrent units over sequences of different lengths, and their gradients:
//
//     r = σ(xᵣ + hᵣ), z = σ(x_z + h_z), n = tanh(xₙ + r · hₙ), next = (1 − z) · n + z · h
//
// where x is a row of projections and hᵣ, h_z and hₙ are weight · h + bias.

#include <math.h>
#include <string.h>

#include "Trial.h"

enum { KEEPS = 1, BACKWARD = 2, LONGEST = 9 };

/// Errors of states and gradients, which steps hand on and shrink or grow only a little.
static const double error = 5e-5;

/// Sequences of different lengths whose rows are separated by rows that belong to none.
typedef struct {
  size_t sequences, rows, blocks, kept;
  size_t *starts, *lengths, *order;
  ckernels_recurrence_block *block;
} batch;

static batch batched(trial *t, size_t hidden, size_t lanes) {
  batch b = {.sequences = 2 * lanes + 3};
  size_t starts[b.sequences], lengths[b.sequences], order[b.sequences];
  const size_t *mixed = trial_order(t, b.sequences);
  for (size_t i = 0; i < b.sequences; ++i) lengths[i] = 1 + trial_below(t, 5);
  lengths[b.sequences / 2] = LONGEST;
  for (size_t i = 0; i < b.sequences; ++i) {
    starts[mixed[i]] = b.rows + 1;
    b.rows += 1 + lengths[mixed[i]];
  }
  size_t placed = 0;
  for (size_t length = LONGEST; length > 0; --length)
    for (size_t i = 0; i < b.sequences; ++i)
      if (lengths[i] == length) order[placed++] = i;
  ckernels_recurrence_block blocks[b.sequences / lanes + 1];
  for (size_t first = 0; first < b.sequences; first += lanes) {
    blocks[b.blocks++] = (ckernels_recurrence_block){first, trial_least(lanes, b.sequences - first), b.kept};
    b.kept += trial_table(t)->recurrence_kept(hidden, lanes) * lengths[order[first]];
  }
  b.starts = trial_copy(t, starts, sizeof starts);
  b.lengths = trial_copy(t, lengths, sizeof lengths);
  b.order = trial_copy(t, order, sizeof order);
  b.block = trial_copy(t, blocks, b.blocks * sizeof *blocks);
  return b;
}

/// What one sequence's step computes; lists of `hidden` values.
typedef struct {
  double *before, *reset, *update, *new, *product;
} step;

static double logistic(double x) { return 1 / (1 + exp(-x)); }

/// One gate's part of weight · state + bias.
static double part(const ckernels_recurrence *work, size_t gate, size_t j, const double *state) {
  const size_t row = gate * work->hidden + j;
  double sum = work->bias[row];
  for (size_t k = 0; k < work->hidden; ++k) sum += (double)work->weight[row * work->hidden + k] * state[k];
  return sum;
}

static step forward_step(trial *t, const ckernels_recurrence *work, size_t row, double *state) {
  const size_t hidden = work->hidden;
  const float *x = work->projections + row * 3 * hidden;
  step s;
  double **const lists[] = {&s.before, &s.reset, &s.update, &s.new, &s.product};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; ++i) *lists[i] = trial_doubles(t, hidden);
  memcpy(s.before, state, hidden * sizeof *state);
  for (size_t j = 0; j < hidden; ++j) {
    s.reset[j] = logistic(x[j] + part(work, 0, j, s.before));
    s.update[j] = logistic(x[hidden + j] + part(work, 1, j, s.before));
    s.product[j] = part(work, 2, j, s.before);
    s.new[j] = tanh(x[2 * hidden + j] + s.reset[j] * s.product[j]);
    state[j] = (1 - s.update[j]) * s.new[j] + s.update[j] * s.before[j];
  }
  return s;
}

/// Checks the gradients of one step, and replaces those of the state after it by those before it.
static void backward_step(trial *t, const ckernels_recurrence_backward *work, size_t row, step s, double *gradient) {
  const ckernels_recurrence *f = work->forward;
  const size_t hidden = f->hidden;
  double *before = trial_doubles(t, hidden), *state = trial_doubles(t, 3 * hidden);
  for (size_t j = 0; j < hidden; ++j) {
    const double d = gradient[j], r = s.reset[j], z = s.update[j], n = s.new[j];
    const double d_new = d * (1 - z) * (1 - n * n);
    const double changes[] = {d_new * s.product[j] * r * (1 - r), d * (s.before[j] - n) * z * (1 - z), d_new};
    for (size_t gate = 0; gate < 3; ++gate) {
      const size_t at = row * 3 * hidden + gate * hidden + j;
      state[gate * hidden + j] = changes[gate] * (gate == 2 ? r : 1);
      trial_expect(t, "input_changes", false, work->input_changes, at, changes[gate], error);
      trial_expect(t, "state_changes", false, work->state_changes, at, state[gate * hidden + j], error);
    }
    trial_expect(t, "states", false, work->states, row * hidden + j, s.before[j], error);
    before[j] = d * z;
  }
  for (size_t k = 0; k < hidden; ++k)
    for (size_t i = 0; i < 3 * hidden; ++i) before[k] += f->weight[i * hidden + k] * state[i];
  memcpy(gradient, before, hidden * sizeof *gradient);
}

static void expect_sequence(trial *t, const ckernels_recurrence *work, const ckernels_recurrence_backward *backward,
                            size_t sequence) {
  const size_t hidden = work->hidden, first = work->starts[sequence], length = work->lengths[sequence];
  double *state = trial_doubles(t, hidden);
  step steps[LONGEST];
  for (size_t i = 0; i < length; ++i) steps[i] = forward_step(t, work, first + i, state);
  for (size_t j = 0; j < hidden; ++j)
    trial_expect(t, "last", false, work->last, sequence * hidden + j, state[j], error);
  if (!backward) return;
  for (size_t j = 0; j < hidden; ++j) state[j] = backward->gradient[sequence * hidden + j];
  for (size_t i = length; i-- > 0;) backward_step(t, backward, first + i, steps[i], state);
}

/// Rows of no sequence are left alone.
static void expect_gaps(trial *t, const batch *b, size_t hidden, const ckernels_recurrence_backward *work) {
  for (size_t i = 0; i < b->sequences; ++i) {
    const size_t gap = b->starts[i] - 1;
    trial_expect_unwritten(t, "input_changes", false, work->input_changes, gap * 3 * hidden, (gap + 1) * 3 * hidden);
    trial_expect_unwritten(t, "state_changes", false, work->state_changes, gap * 3 * hidden, (gap + 1) * 3 * hidden);
    trial_expect_unwritten(t, "states", false, work->states, gap * hidden, (gap + 1) * hidden);
  }
}

static void compare(trial *t, unsigned options, size_t hidden, size_t lanes) {
  trial_begin(t, "hidden %zu, %zu lanes", hidden, lanes);
  const ckernels_table *table = trial_table(t);
  const batch b = batched(t, hidden, lanes);
  ckernels_recurrence work = {.hidden = hidden, .lanes = lanes, .starts = b.starts, .lengths = b.lengths};
  work.order = b.order, work.blocks = b.block;
  float *projections = trial_numbers(t, false, b.rows * 3 * hidden);
  for (size_t i = 0; i < b.sequences; ++i)
    for (size_t j = 0; j < 3 * hidden; ++j) projections[(b.starts[i] - 1) * 3 * hidden + j] = NAN;
  // The gates of one sequence reach their limits.
  for (size_t j = 0; j < 3 * hidden * b.lengths[1]; ++j) projections[b.starts[1] * 3 * hidden + j] *= 300;
  float *weight = trial_numbers(t, false, 3 * hidden * hidden);
  for (size_t i = 0; i < 3 * hidden * hidden; ++i) weight[i] *= (float)(2 / sqrt((double)hidden));
  work.projections = projections, work.weight = weight;
  work.bias = trial_numbers(t, false, 3 * hidden);
  const float *gradient = trial_numbers(t, false, b.sequences * hidden);
  trial_seal(t);
  work.last = trial_results(t, false, b.sequences * hidden);
  if (options) work.kept = trial_results(t, false, b.kept);
  void *scratch = trial_scratch(t, table->recurrence_scratch(&work));
  const size_t *order = trial_order(t, b.blocks);
  for (size_t i = 0; i < b.blocks; ++i) table->recurrence_forward(&work, order[i], scratch);
  ckernels_recurrence_backward backward = {.forward = &work, .gradient = gradient};
  if (options & BACKWARD) {
    backward.input_changes = trial_results(t, false, b.rows * 3 * hidden);
    backward.state_changes = trial_results(t, false, b.rows * 3 * hidden);
    backward.states = trial_results(t, false, b.rows * hidden);
    scratch = trial_scratch(t, table->recurrence_scratch(&work));
    for (size_t i = 0; i < b.blocks; ++i) table->recurrence_backward_of(&backward, order[i], scratch);
    expect_gaps(t, &b, hidden, &backward);
  }
  for (size_t i = 0; i < b.sequences; ++i) expect_sequence(t, &work, options & BACKWARD ? &backward : NULL, i);
}

static void recurrence(trial *t, unsigned options) {
  const size_t width = trial_table(t)->width, lanes = trial_table(t)->lanes, hidden[] = {1, 5, 16, 24, 33};
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; ++i) {
    compare(t, options, hidden[i], i % 2 ? lanes : width);
    compare(t, options, hidden[i], i % 2 ? trial_least(2 * width, lanes) : lanes);
  }
}

const kernel_case recurrence_cases[] = {
    {"recurrence", recurrence, 0},
    {"recurrence, values kept", recurrence, KEEPS},
    {"recurrence's gradients", recurrence, KEEPS | BACKWARD},
    {0},
};
