// The kernels for x86-64 processors with AVX2 and FMA: 16 registers of 8 elements.

#if defined(__x86_64__)

#define WIDTH 8
#define FUSES 1
#define MULTIPLIES_BF16 0
#define MULTIPLIES_BYTES 0
// 4 · 3 sums, 3 columns and a weight are 16 registers.
#define TILE_ROWS 4
#define TILE_VECTORS 3

#include "Vectors/Headers.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "Kernels/Table.h"
#pragma clang attribute pop

#include "Versions.h"

TABLE(avx2);

#endif
