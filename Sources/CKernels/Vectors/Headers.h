// Headers of the compiler and the C library, to be included before a file's functions get an
// instruction set: theirs must keep their own.
#ifndef CKERNELS_HEADERS_H
#define CKERNELS_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "CKernels.h"

#endif
