// The kernels for 64-bit ARM processors: 32 registers of 4 elements.

#if defined(__aarch64__)

#define WIDTH 4
#define FUSES 1
#define MULTIPLIES_BF16 0
#define MULTIPLIES_BYTES 0
// 4 · 4 sums are enough for four units with a latency of four cycles.
#define TILE_ROWS 4
#define TILE_VECTORS 4

#include "Kernels/Table.h"
#include "Versions.h"

TABLE(neon);

#endif
