// Conversions between C handles and libtorch's reference-counted objects, and the error guard.
#pragma once

#include <atomic>
#include <exception>
#include <string>

#include "CTorch.h"
#include "TorchHeaders.hpp"

namespace ctorch {

using TensorPointer = c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;

inline std::atomic<int64_t> live_tensors{0};
inline thread_local std::string last_error;

/// A tensor that shares ownership with the handle.
inline at::Tensor tensor(CTorchTensor handle) {
  auto *impl = reinterpret_cast<c10::TensorImpl *>(handle);
  return at::Tensor(TensorPointer::unsafe_reclaim_from_nonowning(impl));
}

inline c10::TensorImpl &impl(CTorchTensor handle) {
  return *reinterpret_cast<c10::TensorImpl *>(handle);
}

/// Hands a tensor's ownership to the caller; an undefined tensor becomes NULL.
inline CTorchTensor handle(at::Tensor &&value) {
  if (!value.defined()) return nullptr;
  live_tensors.fetch_add(1, std::memory_order_relaxed);
  return reinterpret_cast<CTorchTensor>(value.unsafeReleaseTensorImpl());
}

inline std::vector<at::Tensor> tensors(const CTorchTensor *handles, size_t count) {
  std::vector<at::Tensor> result;
  result.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    result.push_back(handles[i] ? tensor(handles[i]) : at::Tensor());
  }
  return result;
}

/// Runs `body` and converts any exception into a status and a message.
template <typename Body>
int guarded(Body &&body) noexcept {
  try {
    body();
    return 0;
  } catch (const c10::Error &error) {
    last_error = error.what_without_backtrace();
  } catch (const std::exception &error) {
    last_error = error.what();
  } catch (...) {
    last_error = "unknown C++ exception";
  }
  return 1;
}

}  // namespace ctorch
