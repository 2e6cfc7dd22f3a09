public import MoECore

private let reluOperator = Operator("relu")
private let geluOperator = Operator("gelu")
private let siluOperator = Operator("silu")
private let tanhOperator = Operator("tanh")
private let sigmoidOperator = Operator("sigmoid")
private let softplusOperator = Operator("softplus")
private let softmaxOperator = Operator("softmax", "int")
private let logSoftmaxOperator = Operator("log_softmax", "int")

/// Activation functions.
extension Tensor {
  /// max(x, 0), element by element.
  public func relu() -> Tensor { reluOperator(self) }

  /// How ``gelu(_:)`` is computed.
  public enum GELU: String, Hashable, Codable, Sendable {
    /// x · Φ(x), with the distribution function Φ of the normal distribution.
    case exact = "none"
    /// The tanh approximation that GPT-2 and DiT use.
    case tanh
  }

  /// The Gaussian error linear unit, element by element.
  ///
  /// - SeeAlso: Hendrycks and Gimpel 2016, *Gaussian Error Linear Units*,
  ///   [arXiv:1606.08415](https://arxiv.org/abs/1606.08415).
  public func gelu(_ form: GELU = .exact) -> Tensor { geluOperator(self, form.rawValue) }

  /// x · sigmoid(x), element by element; also called swish.
  public func silu() -> Tensor { siluOperator(self) }

  /// The hyperbolic tangent, element by element.
  public func tanh() -> Tensor { tanhOperator(self) }

  /// 1 / (1 + exp(-x)), element by element.
  ///
  /// An element's result does not depend on its place: routers choose by it.
  public func sigmoid() -> Tensor {
    Tensor.haveKernelTypes([self]) && count > 0
      ? SigmoidPass(self).result(of: [self]) : sigmoidOperator(self)
  }

  /// log(1 + exp(x)), element by element, without overflow.
  public func softplus() -> Tensor { softplusOperator(self) }

  /// exp(x) divided by its sum along an axis, without overflow; the shape is kept.
  ///
  /// - Parameters:
  ///   - axis: The axis along which the results sum to 1.
  ///   - dtype: The type of the computation and the result; by default the tensor's type.
  /// - Returns: Values from 0 to 1.
  public func softmax(axis: Int, dtype: DType? = nil) -> Tensor {
    softmaxOperator(self, axis, dtype)
  }

  /// The logarithm of the softmax, accurate even where the softmax is nearly 0; the shape is kept.
  ///
  /// - Parameters:
  ///   - axis: The axis along which the softmax sums to 1.
  ///   - dtype: The type of the computation and the result; by default the tensor's type.
  /// - Returns: Values of at most 0.
  public func logSoftmax(axis: Int, dtype: DType? = nil) -> Tensor {
    logSoftmaxOperator(self, axis, dtype)
  }
}
