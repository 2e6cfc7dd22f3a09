// The kernels for x86-64 processors that also multiply pairs of bf16 numbers and groups of four bytes, and move bytes
// (AVX-512 BF16, VNNI and VBMI): Zen 4, Sapphire Rapids, and later ones.

#if defined(__x86_64__)

#define WIDTH 16
#define FUSES 1
#define MULTIPLIES_BF16 1
#define MULTIPLIES_BYTES 1
// 8 · 3 sums, 3 columns and a weight leave four registers for addresses of neighbours.
#define TILE_ROWS 8
#define TILE_VECTORS 3

#include "Vectors/Headers.h"

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx512vnni,avx512vbmi"))), apply_to = function)
#include "Kernels/Table.h"
#pragma clang attribute pop

#include "Versions.h"

TABLE(avx512bf16);

#endif
