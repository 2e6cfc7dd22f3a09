// The kernels for x86-64 processors with AVX-512 (F, BW, DQ and VL): 32 registers of 16 elements.

#if defined(__x86_64__)

#define WIDTH 16
#define FUSES 1
#define MULTIPLIES_BF16 0
#define MULTIPLIES_BYTES 0
// 8 · 3 sums, 3 columns and a weight leave four registers for addresses of neighbours.
#define TILE_ROWS 8
#define TILE_VECTORS 3

#include "Vectors/Headers.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#include "Kernels/Table.h"
#pragma clang attribute pop

#include "Versions.h"

TABLE(avx512);

#endif
