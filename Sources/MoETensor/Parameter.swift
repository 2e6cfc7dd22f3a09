import CTorch

private let copyOperator = Operator("copy_")

/// A trainable weight of a model.
///
/// A model's layers hold parameters, so that an optimizer can change them in one place. From
/// outside, ``value`` is an ordinary value: tensors that were read from it before an update keep
/// their elements.
public final class Parameter {
  /// The current elements.
  public private(set) var value: Tensor

  /// Whether the graph of a running backward pass holds the value, only to know where its gradient
  /// belongs.
  var isHeldByGraph = false

  /// Creates a parameter with the given elements.
  public init(_ value: Tensor) { self.value = Self.constant(value) }

  /// Replaces the elements by others of the same shape and type.
  public func assign(_ newValue: Tensor) {
    require(
      newValue.shape == value.shape && newValue.dtype == value.dtype,
      "\(newValue.summary) assigned to a parameter of \(value.summary)")
    value = Self.constant(newValue)
    isHeldByGraph = false
  }

  /// The elements, row-major as in-place updates require, and detached from the gradient graph.
  private static func constant(_ tensor: Tensor) -> Tensor {
    withoutGradients { (tensor.requiresGradient ? tensor.detached() : tensor).contiguous() }
  }

  /// The tensor to be changed in place.
  ///
  /// It is ``value`` itself if its elements are not shared, otherwise a copy that becomes the
  /// value. Weights in a mapped file are copied on their first change.
  package func uniqueValue() -> Tensor {
    let ownsElements = unsafe value.withHandle {
      unsafe ctorch_tensor_owns_elements($0, isHeldByGraph ? 2 : 1)
    }
    if !isKnownUniquelyReferenced(&value.storage) || !ownsElements {
      value = withoutGradients { value.copied() }
      isHeldByGraph = false
    }
    return value
  }

  /// Changes the elements in place to those of a tensor of any floating-point type.
  package func copyElements(of source: Tensor) {
    withoutGradients { copyOperator.update(uniqueValue(), source) }
  }
}

@available(*, unavailable)
extension Parameter: Sendable {}
