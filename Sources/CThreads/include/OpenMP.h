// The functions of the OpenMP runtime of GCC, libgomp, that libtorch calls on Linux, and their siblings.
//
// The program defines them itself, so that libtorch's parallel regions run on the threads of CThreads.h. Names,
// arguments and results are those of libgomp; https://gcc.gnu.org/onlinedocs/libgomp/The-libgomp-ABI.html shows what a
// compiler makes of each construct.
#ifndef CTHREADS_OPENMP_H
#define CTHREADS_OPENMP_H

#if defined(__linux__)

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

// Regions.
void GOMP_parallel(void (*body)(void *data), void *data, unsigned threads, unsigned flags);
void GOMP_barrier(void);

// Loops: the first call and every next one receive a part of the iterations; false when there are no more.
bool GOMP_loop_static_start(long start, long end, long step, long chunk, long *first, long *last);
bool GOMP_loop_static_next(long *first, long *last);
bool GOMP_loop_dynamic_start(long start, long end, long step, long chunk, long *first, long *last);
bool GOMP_loop_dynamic_next(long *first, long *last);
bool GOMP_loop_guided_start(long start, long end, long step, long chunk, long *first, long *last);
bool GOMP_loop_guided_next(long *first, long *last);
bool GOMP_loop_nonmonotonic_dynamic_start(long start, long end, long step, long chunk, long *first, long *last);
bool GOMP_loop_nonmonotonic_dynamic_next(long *first, long *last);
bool GOMP_loop_nonmonotonic_guided_start(long start, long end, long step, long chunk, long *first, long *last);
bool GOMP_loop_nonmonotonic_guided_next(long *first, long *last);
bool GOMP_loop_ordered_dynamic_start(long start, long end, long step, long chunk, long *first, long *last);
bool GOMP_loop_ordered_dynamic_next(long *first, long *last);
void GOMP_loop_end(void);
void GOMP_loop_end_nowait(void);

// Within an ordered loop.
void GOMP_ordered_start(void);
void GOMP_ordered_end(void);

// Sections have the numbers 1 to `count`; 0 when there are no more.
unsigned GOMP_sections_start(unsigned count);
unsigned GOMP_sections_next(void);
void GOMP_sections_end(void);
void GOMP_sections_end_nowait(void);

/// True for one member.
bool GOMP_single_start(void);

// One thread at a time.
void GOMP_critical_start(void);
void GOMP_critical_end(void);
void GOMP_critical_name_start(void **name);
void GOMP_critical_name_end(void **name);
void GOMP_atomic_start(void);
void GOMP_atomic_end(void);

// Settings of the calling thread, and its place.
int omp_get_max_threads(void);
void omp_set_num_threads(int threads);
int omp_get_num_procs(void);
int omp_get_num_threads(void);
int omp_get_thread_num(void);
int omp_in_parallel(void);
int omp_get_dynamic(void);
void omp_set_dynamic(int dynamic);
int omp_get_nested(void);
void omp_set_nested(int nested);
int omp_get_max_active_levels(void);
void omp_set_max_active_levels(int levels);
double omp_get_wtime(void);

#ifdef __cplusplus
}
#endif

#endif

#endif
