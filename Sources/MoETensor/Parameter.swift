import CTorch

private let copyOperator = Operator("copy_")

/// A tensor that training changes: a weight of a model.
///
/// A model's layers hold parameters, so that an optimizer can change them in one place. To the outside
/// ``value`` is an ordinary value: tensors that were read from it before an update keep their elements.
public final class Parameter {
  /// The current elements.
  public private(set) var value: Tensor

  /// Whether the gradient graph of a backward pass that is under way holds the value, for nothing but to know where its
  /// gradient goes.
  var isHeldByGraph = false

  /// Starts with the given elements.
  public init(_ value: Tensor) { self.value = Self.constant(value) }

  /// Replaces the elements by others of the same shape and type.
  public func assign(_ newValue: Tensor) {
    require(
      newValue.shape == value.shape && newValue.dtype == value.dtype,
      "\(newValue.summary) assigned to a parameter of \(value.summary)")
    value = Self.constant(newValue)
    isHeldByGraph = false
  }

  /// The elements row-major, as updates in place need them, and without the history of their computation.
  private static func constant(_ tensor: Tensor) -> Tensor {
    withoutGradients { (tensor.requiresGradient ? tensor.detached() : tensor).contiguous() }
  }

  /// The tensor to change in place.
  ///
  /// It is ``value`` itself if nobody else can see its elements, else a copy that becomes the value. Weights over a mapped file are copied at their first change.
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
