// Which versions this build has, and which of them run here.

#include "Versions.h"

static const ckernels_table *const tables[] = {
    &ckernels_plain,
#if defined(__x86_64__)
    &ckernels_avx2,
    &ckernels_avx512,
    &ckernels_avx512bf16,
#elif defined(__aarch64__)
    &ckernels_neon,
#endif
};

size_t ckernels_table_count(void) { return sizeof tables / sizeof *tables; }

const ckernels_table *ckernels_table_at(size_t index) { return tables[index]; }

bool ckernels_table_runs_here(const ckernels_table *table) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (table == &ckernels_avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (table == &ckernels_avx512) return wide;
  if (table == &ckernels_avx512bf16) {
    return wide && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni") &&
           __builtin_cpu_supports("avx512vbmi");
  }
#endif
  return true;
}
