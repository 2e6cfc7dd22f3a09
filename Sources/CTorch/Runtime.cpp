// Threads, devices, versions and processor features.

#include <dlfcn.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "Handles.hpp"

using namespace ctorch;

int ctorch_thread_count(void) { return at::get_num_threads(); }

int ctorch_set_thread_count(int count) {
  return guarded([&] { at::set_num_threads(count); });
}

void ctorch_keep_freed_memory(void) {
#if defined(__GLIBC__)
  // Do not map large blocks separately, never trim the heap, and grow it in large steps.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);  // Never.
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

void ctorch_map_large_blocks(size_t bytes) {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, (int)bytes);
  mallopt(M_MMAP_MAX, 1 << 16);
#endif
}

void ctorch_give_back_freed_memory(void) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

int32_t ctorch_device_count(CTorchDeviceKind kind) {
  int32_t count = 0;
  (void)guarded([&] {
    switch (kind) {
      case CTORCH_CPU:
        count = 1;
        break;
      case CTORCH_CUDA: {
        // libtorch's CUDA library registers itself when loaded; CPU-only builds do not have the
        // file.
        static void *library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
        if (library != nullptr && at::hasCUDA()) count = at::detail::getCUDAHooks().deviceCount();
        break;
      }
      case CTORCH_MPS:
        count = at::hasMPS() ? 1 : 0;
        break;
    }
  });
  return count;
}

const char *ctorch_version(void) { return TORCH_VERSION; }

const char *ctorch_kernel_instruction_set(void) {
  static const std::string name = at::get_cpu_capability();
  return name.c_str();
}

CTorchCPUFeatures ctorch_cpu_features(void) {
  CTorchCPUFeatures features{};
#if defined(__x86_64__)
  __builtin_cpu_init();
  features.avx2 = __builtin_cpu_supports("avx2");
  features.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  features.avx512_vnni = __builtin_cpu_supports("avx512vnni");
  features.avx512_bf16 = __builtin_cpu_supports("avx512bf16");
  features.amx_tile = __builtin_cpu_supports("amx-tile");
  features.amx_int8 = __builtin_cpu_supports("amx-int8");
#endif
  return features;
}
