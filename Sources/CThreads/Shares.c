// A range whose parts threads take when they are ready.

#define _GNU_SOURCE
#include <stdatomic.h>

#include "CThreads.h"
#include "Crew.h"
#include "Waiting.h"

// More members than this have shares in common.
enum { most_shares = 64 };
// A share has so many pieces. A thread takes half of those that are left, at least one: it reads long stretches of memory
// at first, and the last pieces, for which others may have to wait, are small.
static const int64_t most_pieces = 16;

/// The next piece of a share, on a cache line of its own.
typedef struct {
  _Alignas(64) _Atomic int64_t next;
} Share;

typedef struct {
  int64_t count, pieces;
  int shares;
  void *context;
  void (*body)(void *context, int64_t begin, int64_t end);
  Share share[most_shares];
} Range;

static void run_share(Range *range, int share) {
  int64_t begin = range->count * share / range->shares;
  int64_t length = range->count * (share + 1) / range->shares - begin;
  _Atomic int64_t *next = &range->share[share].next;
  int64_t piece = atomic_load_explicit(next, memory_order_relaxed);
  while (piece < range->pieces) {
    int64_t end = piece + (range->pieces - piece + 1) / 2;
    if (!atomic_compare_exchange_weak_explicit(next, &piece, end, memory_order_relaxed, memory_order_relaxed)) continue;
    range->body(range->context, begin + length * piece / range->pieces, begin + length * end / range->pieces);
    piece = atomic_load_explicit(next, memory_order_relaxed);
  }
}

static void run_member(void *context, int member) {
  Range *range = context;
  for (int i = 0; i < range->shares; ++i) run_share(range, (member + i) % range->shares);
}

void cthreads_share(int64_t count, int64_t grain, int members, void *context,
                    void (*body)(void *context, int64_t begin, int64_t end)) {
  if (grain < 1) grain = 1;
  int64_t useful = count / grain + (count % grain != 0);
  int processors = cthreads_processor_count();
  if (useful < members) members = (int)useful;
  if (processors < members) members = processors;
  if (members <= 1 || cthreads_is_inside() || is_scarce(now())) {
    bool old = crew_enter(cthreads_is_inside() || useful > 1);
    if (count > 0) body(context, 0, count);
    crew_enter(old);
    return;
  }
  Range range;
  range.count = count;
  range.shares = members < most_shares ? members : most_shares;
  int64_t pieces = count / range.shares / grain;
  range.pieces = pieces < 1 ? 1 : pieces > most_pieces ? most_pieces : pieces;
  range.context = context;
  range.body = body;
  for (int i = 0; i < range.shares; ++i) atomic_init(&range.share[i].next, 0);
  cthreads_run(members, &range, run_member);
}
