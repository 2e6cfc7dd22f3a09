// Creates, reads and frees tensors.

#include <cstring>

#include "Handles.hpp"

using namespace ctorch;

static_assert(CTORCH_F32 == int(c10::ScalarType::Float) && CTORCH_BOOL == int(c10::ScalarType::Bool));
static_assert(CTORCH_BF16 == int(c10::ScalarType::BFloat16) && CTORCH_F16 == int(c10::ScalarType::Half));
static_assert(CTORCH_U16 == int(c10::ScalarType::UInt16) && CTORCH_U64 == int(c10::ScalarType::UInt64));
static_assert(CTORCH_F8E5M2 == int(c10::ScalarType::Float8_e5m2));
static_assert(CTORCH_F8E4M3 == int(c10::ScalarType::Float8_e4m3fn));

namespace {

c10::ScalarType scalar_type(CTorchElementType type) { return static_cast<c10::ScalarType>(type); }

c10::IntArrayRef shape(const int64_t *sizes, size_t rank) { return {sizes, rank}; }

}  // namespace

const char *ctorch_last_error(void) { return last_error.c_str(); }

int ctorch_tensor_copying(const void *bytes, size_t byte_count, CTorchElementType type,
                          const int64_t *sizes, size_t rank, CTorchTensor *out) {
  return guarded([&] {
    at::Tensor result = at::empty(shape(sizes, rank), at::TensorOptions(scalar_type(type)));
    TORCH_CHECK(result.nbytes() == byte_count, "expected ", result.nbytes(), " bytes, got ", byte_count);
    if (byte_count != 0) std::memcpy(result.mutable_data_ptr(), bytes, byte_count);
    *out = handle(std::move(result));
  });
}

int ctorch_tensor_borrowing(const void *bytes, CTorchElementType type, const int64_t *sizes,
                            size_t rank, void (*release)(void *), void *context, CTorchTensor *out) {
  return guarded([&] {
    // The owner releases the memory when the last copy of the deleter is destroyed, in any code
    // path.
    std::shared_ptr<void> owner(context, release);
    at::Tensor result = at::from_blob(const_cast<void *>(bytes), shape(sizes, rank),
                                      [owner](void *) {}, at::TensorOptions(scalar_type(type)));
    *out = handle(std::move(result));
  });
}

int ctorch_tensor_empty(CTorchElementType type, const int64_t *sizes, size_t rank, CTorchTensor *out) {
  return guarded([&] { *out = handle(at::empty(shape(sizes, rank), at::TensorOptions(scalar_type(type)))); });
}

int ctorch_tensor_reshape(CTorchTensor existing, const int64_t *sizes, size_t rank, CTorchTensor *out) {
  return guarded([&] { *out = handle(tensor(existing).reshape(shape(sizes, rank))); });
}

int ctorch_tensor_select(CTorchTensor existing, int64_t axis, int64_t index, CTorchTensor *out) {
  return guarded([&] { *out = handle(tensor(existing).select(axis, index)); });
}

CTorchTensor ctorch_tensor_retain(CTorchTensor existing) { return handle(tensor(existing)); }

void ctorch_tensor_free(CTorchTensor tensor) {
  if (tensor == nullptr) return;
  live_tensors.fetch_sub(1, std::memory_order_relaxed);
  TensorPointer::reclaim(reinterpret_cast<c10::TensorImpl *>(tensor));
}

size_t ctorch_tensor_rank(CTorchTensor tensor) { return impl(tensor).sizes().size(); }

void ctorch_tensor_sizes(CTorchTensor tensor, int64_t *sizes) {
  c10::IntArrayRef source = impl(tensor).sizes();
  std::copy(source.begin(), source.end(), sizes);
}

int64_t ctorch_tensor_size(CTorchTensor tensor, size_t axis) { return impl(tensor).sizes()[axis]; }

int64_t ctorch_tensor_count(CTorchTensor tensor) { return impl(tensor).numel(); }

CTorchElementType ctorch_tensor_type(CTorchTensor tensor) {
  return static_cast<CTorchElementType>(c10::typeMetaToScalarType(impl(tensor).dtype()));
}

void ctorch_tensor_device(CTorchTensor tensor, CTorchDeviceKind *kind, int32_t *index) {
  c10::Device device = impl(tensor).device();
  *kind = device.is_cuda() ? CTORCH_CUDA : device.is_mps() ? CTORCH_MPS : CTORCH_CPU;
  *index = device.has_index() ? device.index() : 0;
}


bool ctorch_tensor_owns_elements(CTorchTensor tensor, size_t holders) {
  const c10::Storage &storage = impl(tensor).storage();
  // Operations with nothing to do return the same tensor, so its own reference count matters too.
  bool is_known = c10::raw::intrusive_ptr::use_count(&impl(tensor)) <= holders;
  return is_known && storage.use_count() == 1 && storage.allocator() != nullptr;
}

const void *ctorch_tensor_elements(CTorchTensor tensor) {
  c10::TensorImpl &source = impl(tensor);
  if (!source.is_cpu() || !source.is_contiguous()) return nullptr;
  return source.data();
}

const void *ctorch_tensor_strided_elements(CTorchTensor tensor, int64_t *strides) {
  c10::TensorImpl &source = impl(tensor);
  if (!source.is_cpu()) return nullptr;
  c10::IntArrayRef found = source.strides();
  std::copy(found.begin(), found.end(), strides);
  return source.data();
}

int ctorch_tensor_read(CTorchTensor handle, void *bytes, size_t byte_count) {
  return guarded([&] {
    at::Tensor source = tensor(handle).detach().to(at::kCPU).contiguous();
    TORCH_CHECK(source.nbytes() == byte_count, "expected room for ", source.nbytes(), " bytes, got ",
                byte_count);
    if (byte_count != 0) std::memcpy(bytes, source.const_data_ptr(), byte_count);
  });
}

int64_t ctorch_live_tensors(void) { return live_tensors.load(std::memory_order_relaxed); }
