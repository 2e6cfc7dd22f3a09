// Threads that share the work of one caller, and the waiting between them.
//
// A region has members 0 to n-1. They are not threads: threads claim them. The caller runs member 0, its workers claim
// others, and what is unclaimed when the caller gets there, the caller runs itself. So a worker whose processor is busy
// with something else is overtaken, and waited for only if it lost the processor within a member.
//
// Whoever waits spins for a short time and then sleeps. A thread that loses its processor while another waits for it,
// or while it spins, shows that processors are scarce; callers then work alone for a time in proportion to what was
// lost, so that waiting costs a bounded fraction of the time, and try again afterwards (Scarcity.c).
//
// Every calling thread has workers of its own, which start when they are first needed, and end with it.
#ifndef CTHREADS_H
#define CTHREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "OpenMP.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Runs `body(context, member)` once for each of `members` (at least 1), with increasing numbers on each thread.
///
/// Members may run one after another, on any thread: they must not wait for one another. Within a member of another
/// region, they run on the calling thread.
void cthreads_run(int members, void *context, void (*body)(void *context, int member));

/// Runs `body(context, begin, end)` for parts of `0..<count`, at most `members` at the same time; a part has at least
/// about `grain` elements.
///
/// Every member starts with its own share, in pieces, so that the same thread tends to find the same data in its cache;
/// members that are done take pieces of others' shares. The parts differ from call to call.
void cthreads_share(int64_t count, int64_t grain, int members, void *context,
                    void (*body)(void *context, int64_t begin, int64_t end));

/// Whether the calling thread runs a member of a region that has several.
bool cthreads_is_inside(void);

/// The number of processors that this process may use.
int cthreads_processor_count(void);

/// How often the workers of the calling thread have run a member so far, for tests.
uint64_t cthreads_worker_runs(void);

/// Behaves for the given time as if a thread had lost its processor, for tests and measurements; 0 ends that.
void cthreads_set_scarce(int64_t nanoseconds);

#ifdef __cplusplus
}
#endif

#endif
