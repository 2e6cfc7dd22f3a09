// bzip2 as one function on plain memory; a damaged file is a return value.
#ifndef CBZIP2_SHIM_H
#define CBZIP2_SHIM_H

#include <bzlib.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum {
  CBZIP2_COMPLETE,
  /// The room is full, and more would follow.
  CBZIP2_FULL,
  CBZIP2_DAMAGED,
  /// The data end in the middle of a stream.
  CBZIP2_CUT,
  CBZIP2_NO_MEMORY,
} cbzip2_end;

typedef struct {
  size_t made;
  cbzip2_end end;
} cbzip2_result;

/// Decompresses one stream, or several that follow each other as parallel compressors write them.
static inline cbzip2_result cbzip2_expand(const uint8_t *from, size_t count, uint8_t *into, size_t room) {
  cbzip2_result result = {.made = 0, .end = CBZIP2_CUT};
  size_t taken = 0;
  while (taken < count) {
    bz_stream stream;
    memset(&stream, 0, sizeof stream);
    if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK) {
      result.end = CBZIP2_NO_MEMORY;
      return result;
    }
    int status = BZ_OK;
    while (status == BZ_OK) {
      const size_t step = 1u << 30;
      size_t left = count - taken, space = room - result.made;
      stream.next_in = (char *)(uintptr_t)(from + taken);
      stream.avail_in = (unsigned)(left < step ? left : step);
      stream.next_out = (char *)into + result.made;
      stream.avail_out = (unsigned)(space < step ? space : step);
      unsigned given = stream.avail_in, free_before = stream.avail_out;
      status = BZ2_bzDecompress(&stream);
      taken += given - stream.avail_in;
      result.made += free_before - stream.avail_out;
      // Nothing moved: either there is no more to read, or no room.
      if (status == BZ_OK && given == stream.avail_in && free_before == stream.avail_out) break;
    }
    BZ2_bzDecompressEnd(&stream);
    // What follows a whole stream and is not one is ignored, as by bzip2's own program.
    if (status == BZ_DATA_ERROR_MAGIC && result.end == CBZIP2_COMPLETE) return result;
    if (status != BZ_STREAM_END) {
      result.end = status == BZ_MEM_ERROR ? CBZIP2_NO_MEMORY
                   : status != BZ_OK      ? CBZIP2_DAMAGED
                   : result.made == room  ? CBZIP2_FULL
                                          : CBZIP2_CUT;
      return result;
    }
    result.end = CBZIP2_COMPLETE;
  }
  return result;
}

#endif
