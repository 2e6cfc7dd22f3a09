// The tables that this build has.
#ifndef CKERNELS_VERSIONS_H
#define CKERNELS_VERSIONS_H

#include "CKernels.h"

extern const ckernels_table ckernels_plain;
#if defined(__x86_64__)
extern const ckernels_table ckernels_avx2, ckernels_avx512, ckernels_avx512bf16;
#elif defined(__aarch64__)
extern const ckernels_table ckernels_neon;
#endif

#endif
