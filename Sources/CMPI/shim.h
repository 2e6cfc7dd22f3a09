// MPI's constants are casts and addresses, which Swift cannot import, and its handles differ
// between implementations; these functions keep both in C. All return MPI's error code, 0 for
// success.
#ifndef CMPI_SHIM_H
#define CMPI_SHIM_H

#include <mpi.h>
#include <stdint.h>
#include <stdlib.h>

/// Starts MPI for a single thread that makes all calls; errors are returned instead of fatal.
static inline int cmpi_start(void) {
  int provided = 0;
  int status = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
  if (status != MPI_SUCCESS) return status;
  return MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

/// Whether MPI was ever started in this process, which is possible only once.
static inline int cmpi_was_started(void) {
  int started = 0;
  return MPI_Initialized(&started) == MPI_SUCCESS && started;
}

static inline int cmpi_finish(void) { return MPI_Finalize(); }
static inline int cmpi_rank(int *rank) { return MPI_Comm_rank(MPI_COMM_WORLD, rank); }
static inline int cmpi_size(int *size) { return MPI_Comm_size(MPI_COMM_WORLD, size); }
static inline int cmpi_barrier(void) { return MPI_Barrier(MPI_COMM_WORLD); }

/// Exchanges one integer with every rank.
static inline int cmpi_exchange_counts(const int64_t *sent, int64_t *received) {
  return MPI_Alltoall(sent, 1, MPI_INT64_T, received, 1, MPI_INT64_T, MPI_COMM_WORLD);
}

/// Whether every rank passes a nonzero value; all ranks get the same result.
static inline int cmpi_agree(int mine, int *all) {
  return MPI_Allreduce(&mine, all, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD);
}

/// Exchanges bytes with every rank; counts and offsets have one element per rank.
static inline int cmpi_exchange_bytes(const void *sent, const int *sent_counts,
                                      const int *sent_offsets, void *received,
                                      const int *received_counts, const int *received_offsets) {
  return MPI_Alltoallv(sent, sent_counts, sent_offsets, MPI_BYTE, received, received_counts,
                       received_offsets, MPI_BYTE, MPI_COMM_WORLD);
}

/// Writes the library's name and version; `text` has room for `capacity` bytes.
static inline int cmpi_version(char *text, int capacity) {
  int length = 0;
  if (capacity < MPI_MAX_LIBRARY_VERSION_STRING) return MPI_ERR_COUNT;
  return MPI_Get_library_version(text, &length);
}

enum { CMPI_VERSION_CAPACITY = MPI_MAX_LIBRARY_VERSION_STRING };

/// Writes the description of an error code.
static inline int cmpi_error_text(int code, char *text, int capacity) {
  int length = 0;
  if (capacity < MPI_MAX_ERROR_STRING) return MPI_ERR_COUNT;
  return MPI_Error_string(code, text, &length);
}

enum { CMPI_ERROR_CAPACITY = MPI_MAX_ERROR_STRING };

#endif
