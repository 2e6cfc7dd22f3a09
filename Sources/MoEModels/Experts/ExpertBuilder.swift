public import MoETensor

/// Requests the weights of one expert from a source, under the expert's name.
public final class ExpertBuilder {
  /// Input width.
  public let width: Int
  /// Inner width.
  public let size: Int
  /// Output width.
  public let outputs: Int
  /// The weights so far, in the order in which they were requested.
  private(set) var parameters: [NamedParameter] = []
  private let prefix: String
  private let weights: any WeightSource

  init(_ prefix: String, width: Int, size: Int, outputs: Int, weights: any WeightSource) {
    (self.prefix, self.weights) = (prefix, weights)
    (self.width, self.size, self.outputs) = (width, size, outputs)
  }

  /// A weight that is initialized uniformly between ±1/√`summed`, as in PyTorch's linear and
  /// recurrent layers.
  ///
  /// - Parameters:
  ///   - name: Its name, after the expert's.
  ///   - shape: Its shape.
  ///   - summed: Number of summands of one output.
  /// - Returns: The weight.
  /// - Throws: ``ModelError`` when a checkpoint lacks it.
  public func weight(_ name: String, _ shape: [Int], summed: Int) throws -> Parameter {
    let name = full(name)
    let limit = 1 / Double(summed).squareRoot()
    let parameter = try weights.weight(name, shape, start: .uniform(limit))
    parameters.append(NamedParameter(name, parameter))
    return parameter
  }

  private func full(_ name: String) -> String { prefix.isEmpty ? name : "\(prefix).\(name)" }

  /// A linear layer with bias, `name.weight` and `name.bias`.
  ///
  /// - Throws: ``ModelError`` when a checkpoint lacks a weight.
  public func linear(_ name: String, _ outputs: Int, _ inputs: Int) throws -> Linear {
    let (full, limit) = (full(name + ".weight"), 1 / Double(inputs).squareRoot())
    let matrix = try weights.linear(
      full, outputs: outputs, inputs: inputs, start: .uniform(limit))
    if let parameter = matrix as? Parameter {
      parameters.append(NamedParameter(full, parameter))
    }
    return Linear(
      weight: matrix, bias: try weight(name + ".bias", [outputs], summed: inputs))
  }
}
