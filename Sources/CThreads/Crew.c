// A caller and its workers: who runs which member, and who waits for whom.

#define _GNU_SOURCE
#include "Crew.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>

#include "CThreads.h"
#include "Waiting.h"

// A region in one word, so that a late thread cannot claim a member of a region that it does not know: a number that
// counts regions (32 bits), whether workers should leave it to the caller (1 bit), its members (15 bits), and how many
// of them are claimed (16 bits).
#define NUMBER(state) ((uint32_t)((state) >> 32))
#define QUIET (UINT64_C(1) << 31)
#define MEMBERS(state) ((int)((state) >> 16 & 0x7fff))
#define CLAIMED(state) ((int)((state) & 0xffff))

static inline uint64_t region_state(uint32_t number, bool quiet, int members, int claimed) {
  return (uint64_t)number << 32 | (quiet ? QUIET : 0) | (uint64_t)members << 16 | (uint64_t)claimed;
}

struct Crew {
  // Threads spin on this line.
  _Alignas(64) _Atomic uint64_t state;
  void *context;
  void (*body)(void *context, int member);
  // Workers sleep on the one; on the other the caller, and every ring is a member that a worker has finished.
  _Alignas(64) Bell work;
  _Alignas(64) Bell finished;
  // The caller has waited for long.
  _Atomic bool is_awaited;
  // How long workers had no processor while the caller waited for them, in nanoseconds, since the program's start.
  _Atomic int64_t absence;
  // When a worker last finished a member.
  _Atomic int64_t worker_end;
  _Alignas(64) _Atomic uint64_t worker_runs;
  // One sleeping worker looks now and then whether a quiet region needs it after all.
  _Atomic bool has_watcher;
  _Atomic bool is_closing;
  _Atomic int references;
  // Known to the caller only.
  int workers;
  Presence caller;
};

// Callers and places ----------------------------------------------------------------------------------------------

static _Thread_local Crew *crew_of_thread;
static _Thread_local bool is_inside;
static pthread_key_t thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

bool cthreads_is_inside(void) { return is_inside; }

bool crew_enter(bool inside) {
  bool old = is_inside;
  is_inside = inside;
  return old;
}

uint64_t cthreads_worker_runs(void) {
  return crew_of_thread == NULL ? 0 : atomic_load(&crew_of_thread->worker_runs);
}

static void release(Crew *crew) {
  if (atomic_fetch_sub(&crew->references, 1) > 1) return;
  bell_destroy(&crew->work);
  bell_destroy(&crew->finished);
  free(crew);
}

static void close_crew(void *pointer) {
  Crew *crew = pointer;
  crew_of_thread = NULL;
  atomic_store(&crew->is_closing, true);
  bell_ring(&crew->work, INT_MAX);
  release(crew);
}

// The child of a fork has no other threads: it leaves its parent's crew alone and makes another if it needs one.
static void forget_crew(void) {
  crew_of_thread = NULL;
  pthread_setspecific(thread_end, NULL);
}

static void prepare(void) {
  pthread_key_create(&thread_end, close_crew);
  pthread_atfork(NULL, NULL, forget_crew);
}

// Claims ----------------------------------------------------------------------------------------------------------

static inline bool has_work(uint64_t state) { return !(state & QUIET) && CLAIMED(state) < MEMBERS(state); }

static inline bool waits_quietly(uint64_t state) { return (state & QUIET) && CLAIMED(state) < MEMBERS(state); }

/// The member that the calling thread is to run, or -1.
static int claim(Crew *crew, bool is_caller) {
  uint64_t state = atomic_load_explicit(&crew->state, memory_order_acquire);
  while (is_caller ? CLAIMED(state) < MEMBERS(state) : has_work(state)) {
    if (atomic_compare_exchange_weak_explicit(&crew->state, &state, state + 1, memory_order_acq_rel,
                                              memory_order_acquire))
      return CLAIMED(state);
  }
  return -1;
}

void crew_summon(Crew *crew) {
  uint64_t state = atomic_load(&crew->state);
  while (waits_quietly(state) && !atomic_compare_exchange_weak(&crew->state, &state, state & ~QUIET)) {
  }
  if (CLAIMED(state) < MEMBERS(state)) bell_ring(&crew->work, INT_MAX);
}

// Workers ---------------------------------------------------------------------------------------------------------

// Members that wait for each other without our knowledge, as some of oneDNN's do, are rare and found after this time.
static const int64_t watch_interval = 2 * MILLISECONDS;

static void sleep_until_work(Crew *crew) {
  uint32_t seen = atomic_load(&crew->work.rings);
  uint64_t state = atomic_load(&crew->state);
  if (has_work(state) || atomic_load(&crew->is_closing)) return;
  // A caller that opens a quiet region rings if it finds no watcher, so that one of both sees the other.
  bool watches = (is_scarce(now()) || waits_quietly(state)) && !atomic_exchange(&crew->has_watcher, true);
  if (!watches) {
    bell_sleep(&crew->work, seen, -1);
    return;
  }
  state = atomic_load(&crew->state);
  bell_sleep(&crew->work, seen, watch_interval);
  uint64_t later = atomic_load(&crew->state);
  if (waits_quietly(later) && NUMBER(later) == NUMBER(state)) crew_summon(crew);
  atomic_store(&crew->has_watcher, false);
}

static void *work(void *pointer) {
  Crew *crew = pointer;
  is_inside = true;
  Presence presence;
  presence_start(&presence);
  while (true) {
    int member = claim(crew, false);
    if (member >= 0) {
      presence_renew(&presence, now());
      crew->body(crew->context, member);
      atomic_fetch_add_explicit(&crew->worker_runs, 1, memory_order_relaxed);
      if (atomic_load_explicit(&crew->is_awaited, memory_order_relaxed)) {
        atomic_fetch_add(&crew->absence, presence_gap(&presence));
        presence_start(&presence);
      }
      atomic_store_explicit(&crew->worker_end, now(), memory_order_relaxed);
      bell_ring(&crew->finished, 1);
      continue;
    }
    Spin spin = spin_begin(now(), false);
    bool works = false;
    do {
      works = has_work(atomic_load_explicit(&crew->state, memory_order_relaxed));
    } while (!works && spin_continue(&spin));
    if (works) continue;
    if (atomic_load(&crew->is_closing)) break;
    sleep_until_work(crew);
    presence_start(&presence);
  }
  release(crew);
  return NULL;
}

/// Starts a thread that no signal interrupts, except for those of its own mistakes.
static bool start_worker(Crew *crew) {
  sigset_t blocked, old;
  sigfillset(&blocked);
  const int mistakes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; ++i) sigdelset(&blocked, mistakes[i]);
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_sigmask(SIG_SETMASK, &blocked, &old);
  atomic_fetch_add(&crew->references, 1);
  pthread_t thread;
  bool started = pthread_create(&thread, &attributes, work, crew) == 0;
  if (!started) atomic_fetch_sub(&crew->references, 1);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  pthread_attr_destroy(&attributes);
  return started;
}

Crew *crew_of_caller(int workers, int *count) {
  Crew *crew = crew_of_thread;
  *count = 0;
  if (crew == NULL) {
    pthread_once(&once, prepare);
    crew = aligned_alloc(64, (sizeof *crew + 63) / 64 * 64);
    if (crew == NULL) return NULL;
    *crew = (Crew){.references = 1};
    bell_init(&crew->work);
    bell_init(&crew->finished);
    crew_of_thread = crew;
    pthread_setspecific(thread_end, crew);
  }
  while (crew->workers < workers && start_worker(crew)) ++crew->workers;
  *count = crew->workers;
  return crew;
}

// Callers ---------------------------------------------------------------------------------------------------------

// A wait of this length is not yet worth working alone.
static const int64_t patience = 200 * MICROSECONDS;

/// Waits until workers have finished `target` rings, after own members that took `own` each.
static void wait_for_workers(Crew *crew, uint32_t target, int64_t since, int64_t own) {
  int64_t absence = atomic_load(&crew->absence);
  Spin spin = spin_begin(since, true);
  bool slept = false;
  while (atomic_load_explicit(&crew->finished.rings, memory_order_acquire) != target) {
    if (spin_continue(&spin)) {
      if (spin.last - since > patience) atomic_store_explicit(&crew->is_awaited, true, memory_order_relaxed);
      continue;
    }
    atomic_store_explicit(&crew->is_awaited, true, memory_order_relaxed);
    uint32_t seen = atomic_load(&crew->finished.rings);
    if (seen != target) bell_sleep(&crew->finished, seen, -1);
    slept = true;
    // Sleep is not a loss of the processor, nor is the same gap a second one.
    spin.last = now();
  }
  // Had the caller run the members itself, they would have taken time, too.
  int64_t lost = now() - since - own;
  absence = atomic_load(&crew->absence) - absence;
  if (lost > patience + own && absence > patience) report_loss(lost < absence ? lost : absence);
  // Sleep is not a loss of the processor; a spin is on it all the time.
  if (slept) presence_start(&crew->caller);
}

/// Reports a loss if the workers have been done for long, because the caller had no processor.
///
/// Its workers then compete with it: alone, it would be the only one of this program that needs a processor.
static void check_own_delay(Crew *crew, int64_t time) {
  int64_t lost = time - atomic_load_explicit(&crew->worker_end, memory_order_relaxed);
  if (lost < preemption_gap) return;
  int64_t absence = presence_gap(&crew->caller);
  if (absence > preemption_gap) report_loss(lost < absence ? lost : absence);
  presence_start(&crew->caller);
}

static void run_region(Crew *crew, bool quiet, int helpers, int members, void *context,
                       void (*body)(void *context, int member)) {
  int64_t start = now();
  presence_renew(&crew->caller, start);
  uint32_t base = atomic_load_explicit(&crew->finished.rings, memory_order_relaxed);
  crew->context = context;
  crew->body = body;
  atomic_store_explicit(&crew->is_awaited, false, memory_order_relaxed);
  uint32_t number = NUMBER(atomic_load_explicit(&crew->state, memory_order_relaxed)) + 1;
  uint64_t state = region_state(number, quiet, members, 1);
  if (quiet) {
    atomic_store(&crew->state, state);
    if (!atomic_load(&crew->has_watcher)) bell_ring(&crew->work, 1);
  } else {
    atomic_store_explicit(&crew->state, state, memory_order_release);
    // All who sleep: how many there are may change until the bell rings, and one who was about to fall asleep would not
    // be counted. The bell does nothing if nobody sleeps.
    bell_ring(&crew->work, helpers);
  }
  bool old = crew_enter(true);
  int run = 0;
  for (int member = 0; member >= 0; member = claim(crew, true), ++run) body(context, member);
  crew_enter(old);
  uint32_t target = base + (uint32_t)(members - run);
  int64_t time = now();
  if (atomic_load_explicit(&crew->finished.rings, memory_order_acquire) == target) {
    if (run < members) check_own_delay(crew, time);
  } else {
    wait_for_workers(crew, target, time, (time - start) / run);
  }
}

void crew_run_team(Crew *crew, int members, void *context, void (*body)(void *context, int member)) {
  run_region(crew, is_scarce(now()), members - 1, members, context, body);
}

void cthreads_run(int members, void *context, void (*body)(void *context, int member)) {
  int processors = cthreads_processor_count();
  int helpers = (members < processors ? members : processors) - 1, workers = 0;
  // A member counts as inside whether or not it has company, so that what it calls computes the same.
  if (helpers > 0 && members <= INT16_MAX && !is_inside && !is_scarce(now())) {
    Crew *crew = crew_of_caller(helpers, &workers);
    if (workers > 0) {
      run_region(crew, false, helpers, members, context, body);
      return;
    }
  }
  bool old = crew_enter(is_inside || members > 1);
  for (int member = 0; member < members; ++member) body(context, member);
  crew_enter(old);
}
