// A caller and its workers.
#ifndef CTHREADS_CREW_H
#define CTHREADS_CREW_H

#include <stdbool.h>

typedef struct Crew Crew;

/// The workers of the calling thread, of which there are at least `workers` unless threads cannot be started; `count`
/// receives how many there are. NULL if there is no memory.
Crew *crew_of_caller(int workers, int *count);

/// Runs all members of a region in which members may wait for each other; there must be a worker for each but one.
void crew_run_team(Crew *crew, int members, void *context, void (*body)(void *context, int member));

/// Makes workers claim all members that are left, because a member waits for others.
void crew_summon(Crew *crew);

/// Marks the calling thread as running a member, or not; returns what it was.
bool crew_enter(bool inside);

#endif
