public import MoETensor

/// The weights of another source, under other names or converted.
public final class MappedWeights: WeightSource {
  private let source: any WeightSource
  private let rename: (String) -> String
  private let convert: (_ name: String, _ weight: Tensor) -> Tensor

  /// Maps a source.
  ///
  /// - Parameters:
  ///   - source: The source of the weights.
  ///   - rename: Maps the name that a model requests to the name in the source.
  ///   - convert: Converts a weight for the model; `name` is the requested one.
  public init(
    _ source: any WeightSource, renaming rename: @escaping (String) -> String = { $0 },
    converting convert: @escaping (_ name: String, _ weight: Tensor) -> Tensor = { $1 }
  ) {
    (self.source, self.rename, self.convert) = (source, rename, convert)
  }

  /// The weight, mapped.
  public func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    converted(try source.weight(rename(name), shape, start: start), name)
  }

  /// The weights of one projection, mapped.
  public func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [Parameter] {
    var inner = block
    inner.prefix = rename(block.prefix)
    let found = try source.expertWeights(projection, of: inner, experts: experts, shape: shape)
    return found.enumerated().map { converted($1, block.name($0, projection)) }
  }

  /// The matrix of a linear layer: a dense one mapped, others under their name in the source but as they are.
  public func linear(
    _ name: String, outputs: Int, inputs: Int, start: WeightStart
  ) throws -> any LinearWeight {
    let found = try source.linear(rename(name), outputs: outputs, inputs: inputs, start: start)
    return (found as? Parameter).map { converted($0, name) } ?? found
  }

  /// The matrices of one projection, as ``linear(_:outputs:inputs:start:)``.
  public func expertLinears(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [any LinearWeight] {
    var inner = block
    inner.prefix = rename(block.prefix)
    let found = try source.expertLinears(projection, of: inner, experts: experts, shape: shape)
    return found.enumerated().map { expert, weight in
      (weight as? Parameter).map { converted($0, block.name(expert, projection)) } ?? weight
    }
  }

  private func converted(_ weight: Parameter, _ name: String) -> Parameter {
    Parameter(convert(name, weight.value))
  }
}
