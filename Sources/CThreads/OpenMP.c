// OpenMP for libtorch, on our own threads.
//
// libtorch is compiled for libgomp, whose threads wait in one of two ways: they spin for milliseconds, which stops all
// progress beside another busy program, or sleep at once, which costs a third of the speed on a quiet machine. The
// linker finds the functions of the program before those of libgomp, so libtorch's regions come here.
//
// Values are those that libgomp would give: the number of members of a region, their numbers, and what
// omp_get_max_threads returns in and outside of regions. Nested regions have one member, as by default there.
//
// On macOS, this file is empty: libtorch's threads there are those of LLVM's runtime.

#if defined(__linux__)

#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "CThreads.h"
#include "Crew.h"
#include "Waiting.h"

// The symbols must be seen by libraries whatever the compiler's default is.
#pragma GCC visibility push(default)

typedef enum { STATIC, DYNAMIC, GUIDED } Schedule;

/// What the members of a team share in a construct. The first that reaches it makes it, the last that leaves frees it.
typedef struct Construct {
  struct Construct *next;
  /// The construct's place in the order in which every member reaches the team's.
  unsigned long index;
  int left;
  Schedule schedule;
  bool is_ordered, is_taken;
  long begin, end, step, chunk;
  /// Parts of an ordered loop that were handed out, and the one whose turn it is.
  long parts, turn;
} Construct;

/// The members of a region.
typedef struct {
  int members;
  /// What omp_get_max_threads is for members at first.
  int max_threads;
  /// NULL if there is one member.
  Crew *crew;
  void (*body)(void *data);
  void *data;
  pthread_mutex_t mutex;
  Construct *constructs;
  _Atomic int arrived;
  /// Rings when all have arrived at a barrier, and when the turn in an ordered loop passes.
  Bell barrier, turn;
} Team;

/// The calling thread's member of a team.
typedef struct {
  Team *team;
  int number;
  /// Constructs reached so far.
  unsigned long reached;
  Construct *construct;
  /// The part of an ordered loop that this member has.
  long part;
  /// The next part of a static loop.
  long round;
} Member;

// Outside of regions, a thread is the one member of a team that never ends.
static _Thread_local Team alone = {.members = 1, .mutex = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local Member outside;
static _Thread_local Member *member_of_thread;
// 0 before it is set.
static _Thread_local int max_threads;

static Member *current_member(void) {
  if (member_of_thread != NULL) return member_of_thread;
  outside.team = &alone;
  return &outside;
}

// Settings --------------------------------------------------------------------------------------------------------

/// OMP_NUM_THREADS, whose first number is for regions that are not nested, or the number of processors.
static int initial_max_threads(void) {
  const char *text = getenv("OMP_NUM_THREADS");
  if (text != NULL) {
    char *end;
    errno = 0;
    long count = strtol(text, &end, 10);
    end += strspn(end, " \t");
    if (errno == 0 && end != text && count > 0 && (*end == 0 || *end == ','))
      return count > INT16_MAX ? INT16_MAX : (int)count;
  }
  return cthreads_processor_count();
}

int omp_get_max_threads(void) {
  if (max_threads == 0) {
    // The environment is read once: it may change later, and differently for each thread.
    static _Atomic int initial;
    int count = atomic_load_explicit(&initial, memory_order_relaxed);
    if (count == 0) atomic_store_explicit(&initial, count = initial_max_threads(), memory_order_relaxed);
    max_threads = count;
  }
  return max_threads;
}

void omp_set_num_threads(int threads) { max_threads = threads < 1 ? 1 : threads > INT16_MAX ? INT16_MAX : threads; }

int omp_get_num_procs(void) { return cthreads_processor_count(); }

int omp_get_num_threads(void) { return current_member()->team->members; }

int omp_get_thread_num(void) { return current_member()->number; }

int omp_in_parallel(void) { return cthreads_is_inside(); }

int omp_get_dynamic(void) { return 0; }

void omp_set_dynamic(int dynamic) { (void)dynamic; }

int omp_get_nested(void) { return 0; }

void omp_set_nested(int nested) { (void)nested; }

int omp_get_max_active_levels(void) { return 1; }

void omp_set_max_active_levels(int levels) { (void)levels; }

double omp_get_wtime(void) { return (double)now() * 1e-9; }

// Regions ---------------------------------------------------------------------------------------------------------

static void run_member(void *context, int number) {
  Team *team = context;
  Member member = {.team = team, .number = number};
  Member *old = member_of_thread;
  int old_max_threads = max_threads;
  member_of_thread = &member;
  max_threads = team->max_threads;
  team->body(team->data);
  max_threads = old_max_threads;
  member_of_thread = old;
}

void GOMP_parallel(void (*body)(void *data), void *data, unsigned threads, unsigned flags) {
  // The flags are advice about the binding of threads to places.
  (void)flags;
  int maximum = omp_get_max_threads();
  int members = threads == 0 ? maximum : threads > INT16_MAX ? INT16_MAX : (int)threads;
  if (cthreads_is_inside()) members = 1;
  Crew *crew = NULL;
  if (members > 1) {
    // Members may wait for each other, so there are as many as there can be threads.
    int workers;
    crew = crew_of_caller(members - 1, &workers);
    if (members > workers + 1) members = workers + 1;
  }
  Team team = {.members = members, .max_threads = maximum, .crew = crew, .body = body, .data = data};
  pthread_mutex_init(&team.mutex, NULL);
  if (members == 1) {
    run_member(&team, 0);
  } else {
    bell_init(&team.barrier);
    bell_init(&team.turn);
    crew_run_team(crew, members, &team, run_member);
    bell_destroy(&team.barrier);
    bell_destroy(&team.turn);
  }
  pthread_mutex_destroy(&team.mutex);
}

/// Waits until the bell has another number of rings than `seen`.
static void wait_for_ring(Bell *bell, uint32_t seen) {
  Spin spin = spin_begin(now(), true);
  while (atomic_load_explicit(&bell->rings, memory_order_acquire) == seen)
    if (!spin_continue(&spin)) bell_sleep(bell, seen, -1);
}

void GOMP_barrier(void) {
  Team *team = current_member()->team;
  if (team->members == 1) return;
  uint32_t seen = atomic_load(&team->barrier.rings);
  if (atomic_fetch_add(&team->arrived, 1) + 1 == team->members) {
    atomic_store(&team->arrived, 0);
    bell_ring(&team->barrier, INT_MAX);
  } else {
    crew_summon(team->crew);
    wait_for_ring(&team->barrier, seen);
  }
}

// Constructs ------------------------------------------------------------------------------------------------------

/// The construct that this member reaches, with the team locked; made by the first, which must describe it.
static Construct *enter_construct(bool *is_first) {
  Member *member = current_member();
  Team *team = member->team;
  unsigned long index = member->reached++;
  pthread_mutex_lock(&team->mutex);
  Construct **place = &team->constructs;
  while (*place != NULL && (*place)->index != index) place = &(*place)->next;
  *is_first = *place == NULL;
  if (*is_first) {
    *place = calloc(1, sizeof **place);
    if (*place == NULL) abort();
    (*place)->index = index;
    (*place)->left = team->members;
  }
  member->construct = *place;
  member->part = -1;
  member->round = 0;
  return *place;
}

static void leave_construct(void) {
  Member *member = current_member();
  Team *team = member->team;
  pthread_mutex_lock(&team->mutex);
  Construct *construct = member->construct;
  if (--construct->left == 0) {
    Construct **place = &team->constructs;
    while (*place != construct) place = &(*place)->next;
    *place = construct->next;
    free(construct);
  }
  pthread_mutex_unlock(&team->mutex);
  member->construct = NULL;
}

/// The number of iterations that are left.
static long iterations_left(const Construct *loop) {
  return loop->step > 0 ? (loop->end - loop->begin + loop->step - 1) / loop->step
                        : (loop->begin - loop->end - loop->step - 1) / -loop->step;
}

static void take(Construct *loop, long count, long *first, long *last) {
  *first = loop->begin;
  loop->begin = *last = count < iterations_left(loop) ? loop->begin + count * loop->step : loop->end;
}

/// Passes the turn in an ordered loop from this member's part on, after those before it.
static void await_turn(Member *member) {
  Construct *loop = member->construct;
  Team *team = member->team;
  while (true) {
    uint32_t seen = atomic_load(&team->turn.rings);
    pthread_mutex_lock(&team->mutex);
    bool is_next = loop->turn == member->part;
    pthread_mutex_unlock(&team->mutex);
    if (is_next) return;
    wait_for_ring(&team->turn, seen);
  }
}

static bool next_static(const Construct *loop, Member *member, long *first, long *last) {
  long left = iterations_left(loop), members = member->team->members, begin, end;
  if (loop->chunk > 0) {
    begin = (member->round * members + member->number) * loop->chunk;
    end = begin + loop->chunk;
  } else {
    // The first members have one more each.
    long size = left / members, rest = left % members, number = member->number;
    begin = number * size + (number < rest ? number : rest);
    end = member->round > 0 ? begin : begin + size + (number < rest);
  }
  if (end > left) end = left;
  if (begin >= end) return false;
  member->round += 1;
  *first = loop->begin + begin * loop->step;
  *last = end == left ? loop->end : loop->begin + end * loop->step;
  return true;
}

/// The next part of a loop for this member, with the team locked.
static bool next_part(Construct *loop, Member *member, long *first, long *last) {
  if (loop->schedule == STATIC) return next_static(loop, member, first, last);
  long left = iterations_left(loop);
  if (left <= 0) return false;
  long fair = (left + member->team->members - 1) / member->team->members;
  take(loop, loop->schedule == GUIDED && fair > loop->chunk ? fair : loop->chunk, first, last);
  member->part = loop->parts++;
  return true;
}

static bool loop_next(long *first, long *last) {
  Member *member = current_member();
  Construct *loop = member->construct;
  Team *team = member->team;
  bool passes = loop->is_ordered && member->part >= 0;
  if (passes) await_turn(member);
  pthread_mutex_lock(&team->mutex);
  if (passes) loop->turn += 1;
  bool found = next_part(loop, member, first, last);
  if (!found) member->part = -1;
  pthread_mutex_unlock(&team->mutex);
  if (passes && team->members > 1) bell_ring(&team->turn, INT_MAX);
  return found;
}

static bool loop_start(Schedule schedule, bool is_ordered, long start, long end, long step, long chunk, long *first,
                       long *last) {
  bool is_first;
  Construct *loop = enter_construct(&is_first);
  if (is_first) {
    bool is_empty = step > 0 ? start >= end : start <= end;
    long smallest = schedule == STATIC ? 0 : 1;
    *loop = (Construct){
        .index = loop->index,
        .left = loop->left,
        .schedule = schedule,
        .is_ordered = is_ordered,
        .begin = start,
        .end = is_empty ? start : end,
        .step = step,
        .chunk = chunk < smallest ? smallest : chunk,
    };
  }
  pthread_mutex_unlock(&current_member()->team->mutex);
  return loop_next(first, last);
}

bool GOMP_loop_static_start(long start, long end, long step, long chunk, long *first, long *last) {
  return loop_start(STATIC, false, start, end, step, chunk, first, last);
}

bool GOMP_loop_static_next(long *first, long *last) { return loop_next(first, last); }

bool GOMP_loop_dynamic_start(long start, long end, long step, long chunk, long *first, long *last) {
  return loop_start(DYNAMIC, false, start, end, step, chunk, first, last);
}

bool GOMP_loop_dynamic_next(long *first, long *last) { return loop_next(first, last); }

bool GOMP_loop_guided_start(long start, long end, long step, long chunk, long *first, long *last) {
  return loop_start(GUIDED, false, start, end, step, chunk, first, last);
}

bool GOMP_loop_guided_next(long *first, long *last) { return loop_next(first, last); }

bool GOMP_loop_nonmonotonic_dynamic_start(long start, long end, long step, long chunk, long *first, long *last) {
  return loop_start(DYNAMIC, false, start, end, step, chunk, first, last);
}

bool GOMP_loop_nonmonotonic_dynamic_next(long *first, long *last) { return loop_next(first, last); }

bool GOMP_loop_nonmonotonic_guided_start(long start, long end, long step, long chunk, long *first, long *last) {
  return loop_start(GUIDED, false, start, end, step, chunk, first, last);
}

bool GOMP_loop_nonmonotonic_guided_next(long *first, long *last) { return loop_next(first, last); }

bool GOMP_loop_ordered_dynamic_start(long start, long end, long step, long chunk, long *first, long *last) {
  return loop_start(DYNAMIC, true, start, end, step, chunk, first, last);
}

bool GOMP_loop_ordered_dynamic_next(long *first, long *last) { return loop_next(first, last); }

void GOMP_loop_end_nowait(void) { leave_construct(); }

void GOMP_loop_end(void) {
  leave_construct();
  GOMP_barrier();
}

void GOMP_ordered_start(void) {
  Member *member = current_member();
  if (member->construct != NULL && member->construct->is_ordered && member->part >= 0) await_turn(member);
}

// The turn passes when the member takes its next part, which may hold further ordered blocks.
void GOMP_ordered_end(void) {}

unsigned GOMP_sections_start(unsigned count) {
  long first, last;
  return GOMP_loop_dynamic_start(1, (long)count + 1, 1, 1, &first, &last) ? (unsigned)first : 0;
}

unsigned GOMP_sections_next(void) {
  long first, last;
  return loop_next(&first, &last) ? (unsigned)first : 0;
}

void GOMP_sections_end_nowait(void) { leave_construct(); }

void GOMP_sections_end(void) { GOMP_loop_end(); }

bool GOMP_single_start(void) {
  bool is_first;
  enter_construct(&is_first);
  pthread_mutex_unlock(&current_member()->team->mutex);
  leave_construct();
  return is_first;
}

// One thread at a time --------------------------------------------------------------------------------------------

static pthread_mutex_t critical = PTHREAD_MUTEX_INITIALIZER, atomics = PTHREAD_MUTEX_INITIALIZER;

void GOMP_critical_start(void) { pthread_mutex_lock(&critical); }

void GOMP_critical_end(void) { pthread_mutex_unlock(&critical); }

void GOMP_atomic_start(void) { pthread_mutex_lock(&atomics); }

void GOMP_atomic_end(void) { pthread_mutex_unlock(&atomics); }

// A name is a pointer that is NULL at first; it becomes the address of a lock.
void GOMP_critical_name_start(void **name) {
  _Atomic(void *) *place = (_Atomic(void *) *)name;
  void *lock = atomic_load(place);
  if (lock == NULL) {
    pthread_mutex_t *made = malloc(sizeof *made);
    if (made == NULL) abort();
    pthread_mutex_init(made, NULL);
    if (atomic_compare_exchange_strong(place, &lock, (void *)made)) {
      lock = made;
    } else {
      pthread_mutex_destroy(made);
      free(made);
    }
  }
  pthread_mutex_lock(lock);
}

void GOMP_critical_name_end(void **name) { pthread_mutex_unlock(*name); }

#pragma GCC visibility pop

#endif
