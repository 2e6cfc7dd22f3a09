// Calls any operator of libtorch's dispatcher by name.

#include <deque>
#include <mutex>

#include "Handles.hpp"

using namespace ctorch;

struct ctorch_operator {
  c10::OperatorHandle handle;
};

struct ctorch_generator {
  at::Generator value;
};

namespace {

// Holds the arguments between the pushes and the call. There is one stack per thread, and every
// call clears it, so that nothing survives a failure.
thread_local torch::jit::Stack arguments;

// Whether a push failed, which only lack of memory can cause; the call then reports the failure.
thread_local bool push_failed = false;

template <typename Make>
void push(Make &&make) noexcept {
  try {
    arguments.push_back(make());
  } catch (...) {
    push_failed = true;
  }
}

struct ClearArguments {
  ~ClearArguments() {
    arguments.clear();
    push_failed = false;
  }
};

void push_defaults(const c10::FunctionSchema &schema) {
  const auto &parameters = schema.arguments();
  TORCH_CHECK(arguments.size() <= parameters.size(), schema.name(), " takes ", parameters.size(),
              " arguments, got ", arguments.size());
  for (size_t i = arguments.size(); i < parameters.size(); ++i) {
    const auto &value = parameters[i].default_value();
    TORCH_CHECK(value.has_value(), schema.name(), " needs its argument '", parameters[i].name(), "'");
    arguments.push_back(*value);
  }
}

void append(std::vector<at::Tensor> &results, c10::IValue &&value) {
  if (value.isTensor()) {
    results.push_back(std::move(value).toTensor());
  } else if (value.isTensorList()) {
    for (const at::Tensor &element : value.toTensorVector()) results.push_back(element);
  } else if (value.isScalar()) {
    results.push_back(at::scalar_tensor(value.toScalar(), value.toScalar().type()));
  } else if (value.isBool()) {
    results.push_back(at::scalar_tensor(value.toBool(), at::kBool));
  } else if (value.isNone()) {
    results.emplace_back();
  } else {
    TORCH_CHECK(false, "a result of type ", value.tagKind(), " has no tensor form");
  }
}

}  // namespace

int ctorch_operator_find(const char *name, const char *overload, CTorchOperator *out) {
  static std::mutex mutex;
  static std::deque<ctorch_operator> found;  // Elements of a deque never move.
  return guarded([&] {
    c10::OperatorHandle handle = c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
    std::lock_guard<std::mutex> lock(mutex);
    for (const ctorch_operator &known : found) {
      if (known.handle == handle) {
        *out = &known;
        return;
      }
    }
    *out = &found.emplace_back(ctorch_operator{handle});
  });
}

void ctorch_push_tensor(CTorchTensor handle) {
  push([&] { return c10::IValue(tensor(handle)); });
}

void ctorch_push_tensors(const CTorchTensor *handles, size_t count) {
  push([&] {
    c10::List<at::Tensor> list;
    list.reserve(count);
    for (size_t i = 0; i < count; ++i) list.push_back(tensor(handles[i]));
    return c10::IValue(std::move(list));
  });
}

void ctorch_push_none(void) {
  push([&] { return c10::IValue(); });
}

void ctorch_push_int(int64_t value) {
  push([&] { return c10::IValue(value); });
}

void ctorch_push_double(double value) {
  push([&] { return c10::IValue(value); });
}

void ctorch_push_bool(bool value) {
  push([&] { return c10::IValue(value); });
}

void ctorch_push_string(const char *value) {
  push([&] { return c10::IValue(std::string(value)); });
}

void ctorch_push_ints(const int64_t *values, size_t count) {
  push([&] { return c10::IValue(c10::IntArrayRef(values, count)); });
}

void ctorch_push_no_numbers(void) {
  push([&] { return c10::IValue(c10::List<std::optional<at::Scalar>>()); });
}

void ctorch_push_device(CTorchDeviceKind kind, int32_t index) {
  c10::DeviceType type = kind == CTORCH_CUDA ? at::kCUDA : kind == CTORCH_MPS ? at::kMPS : at::kCPU;
  push([&] {
    return c10::IValue(c10::Device(type, type == at::kCPU ? -1 : c10::DeviceIndex(index)));
  });
}

void ctorch_push_generator(CTorchGenerator generator) {
  push([&] { return c10::IValue(generator->value); });
}

int ctorch_call(CTorchOperator op, CTorchTensor *results, size_t capacity, size_t *count) {
  ClearArguments clear;
  return guarded([&] {
    TORCH_CHECK(!push_failed, "no memory for the arguments of ", op->handle.schema().name());
    push_defaults(op->handle.schema());
    op->handle.callBoxed(arguments);
    if (capacity == 1 && arguments.size() == 1 && arguments.front().isTensor()) {
      results[0] = handle(std::move(arguments.front()).toTensor());
      *count = 1;
      return;
    }
    std::vector<at::Tensor> values;
    for (c10::IValue &value : arguments) append(values, std::move(value));
    if (capacity == 0) values.clear();  // In-place operators return what they were given.
    TORCH_CHECK(values.size() <= capacity, op->handle.schema().name(), " gives ", values.size(),
                " results, expected at most ", capacity);
    for (size_t i = 0; i < values.size(); ++i) results[i] = handle(std::move(values[i]));
    *count = values.size();
  });
}

int ctorch_generator_new(uint64_t seed, CTorchGenerator *out) {
  return guarded([&] { *out = new ctorch_generator{at::detail::createCPUGenerator(seed)}; });
}

void ctorch_generator_free(CTorchGenerator generator) { delete generator; }

int ctorch_generator_state(CTorchGenerator generator, CTorchTensor *out) {
  return guarded([&] { *out = handle(generator->value.get_state()); });
}

int ctorch_generator_set_state(CTorchGenerator generator, CTorchTensor state) {
  return guarded([&] { generator->value.set_state(tensor(state)); });
}
