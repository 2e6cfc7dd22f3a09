// Reverse-mode gradients, and blocks that compute their gradients themselves.

#include "Handles.hpp"

using namespace ctorch;

namespace {

/// A node of the gradient graph whose backward pass is the caller's function.
class BlockNode final : public torch::autograd::Node {
 public:
  BlockNode(CTorchBackward backward, void (*release)(void *), void *context)
      : backward_(backward), release_(release), context_(context) {}

  ~BlockNode() override { BlockNode::release_variables(); }

  /// Called after the backward pass, so that results that outlive it do not keep the block alive.
  void release_variables() override {
    if (context_ != nullptr) release_(context_);
    context_ = nullptr;
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list &&gradients) override {
    TORCH_CHECK(context_ != nullptr, "a recomputed block was asked for its gradients twice");
    std::vector<CTorchTensor> incoming;
    incoming.reserve(gradients.size());
    for (at::Tensor &gradient : gradients) incoming.push_back(handle(std::move(gradient)));
    std::vector<CTorchTensor> outgoing(num_outputs(), nullptr);
    const char *message = "no reason given";
    int status = backward_(context_, incoming.data(), incoming.size(), outgoing.data(),
                           outgoing.size(), &message);
    for (CTorchTensor gradient : incoming) ctorch_tensor_free(gradient);
    TORCH_CHECK(status == 0, message);
    torch::autograd::variable_list result;
    result.reserve(outgoing.size());
    for (CTorchTensor gradient : outgoing) {
      result.push_back(gradient ? tensor(gradient) : at::Tensor());
      ctorch_tensor_free(gradient);
    }
    return result;
  }

  std::string name() const override { return "RecomputedBlock"; }

 private:
  CTorchBackward backward_;
  void (*release_)(void *);
  void *context_;
};

/// Passes the gradient of one leaf to the caller instead of accumulating it, then removes itself.
class GradientHook final : public torch::autograd::PostAccumulateGradHook {
 public:
  GradientHook(CTorchGradientReady ready, void *context, size_t index)
      : ready_(ready), context_(context), index_(index) {}

  void operator()(const at::Tensor &leaf) override {
    at::Tensor gradient = std::move(leaf.mutable_grad());
    leaf.mutable_grad().reset();
    // A block that listed the leaf did not use it.
    if (!gradient.defined()) return;
    CTorchGradientReady ready = ready_;
    void *context = context_;
    size_t index = index_;
    // Remove this hook; a failure must not leave it behind with a context that no longer exists.
    torch::autograd::impl::set_post_acc_grad_hooks(leaf, nullptr);
    TORCH_CHECK(ready(context, index, handle(std::move(gradient))) == 0, "the receiver failed");
  }

 private:
  CTorchGradientReady ready_;
  void *context_;
  size_t index_;
};

}  // namespace

bool ctorch_gradients_enabled(void) { return c10::GradMode::is_enabled(); }
void ctorch_set_gradients_enabled(bool enabled) { c10::GradMode::set_enabled(enabled); }

bool ctorch_tensor_requires_gradient(CTorchTensor tensor) { return impl(tensor).requires_grad(); }

int ctorch_tensor_set_requires_gradient(CTorchTensor handle, bool required) {
  return guarded([&] { tensor(handle).requires_grad_(required); });
}

int ctorch_gradients(const CTorchTensor *outputs, const CTorchTensor *seeds, size_t output_count,
                     const CTorchTensor *inputs, size_t input_count, CTorchTensor *gradients) {
  return guarded([&] {
    auto results = torch::autograd::grad(
        tensors(outputs, output_count), tensors(inputs, input_count), tensors(seeds, output_count),
        /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
    for (size_t i = 0; i < input_count; ++i) gradients[i] = handle(std::move(results[i]));
  });
}

int ctorch_watch_gradient(CTorchTensor leaf, CTorchGradientReady ready, void *context,
                          size_t index) {
  return guarded([&] {
    at::Tensor target = tensor(leaf);
    target.mutable_grad().reset();
    torch::autograd::impl::set_post_acc_grad_hooks(
        target, std::make_unique<GradientHook>(ready, context, index));
  });
}

void ctorch_unwatch_gradient(CTorchTensor leaf) {
  torch::autograd::impl::set_post_acc_grad_hooks(tensor(leaf), nullptr);
}

int ctorch_backward(CTorchTensor loss) {
  return guarded([&] { torch::autograd::backward({tensor(loss)}, {}); });
}

int ctorch_record_block(const CTorchTensor *inputs, size_t input_count, const CTorchTensor *values,
                        size_t value_count, CTorchBackward backward, void (*release)(void *),
                        void *context, CTorchTensor *outputs) {
  bool owned = false;  // From here on, the node releases the context.
  int status = guarded([&] {
    auto node = c10::make_intrusive<BlockNode>(backward, release, context);
    owned = true;
    node->set_next_edges(torch::autograd::collect_next_edges(tensors(inputs, input_count)));
    std::vector<at::Tensor> results;
    for (size_t i = 0; i < value_count; ++i) {
      at::Tensor result = tensor(values[i]).detach();
      torch::autograd::set_history(result, node);
      results.push_back(std::move(result));
    }
    for (size_t i = 0; i < value_count; ++i) outputs[i] = handle(std::move(results[i]));
  });
  if (status != 0 && !owned) release(context);
  return status;
}
