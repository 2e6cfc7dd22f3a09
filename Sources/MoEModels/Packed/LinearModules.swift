import MoETensor
import SystemPackage

/// A linear layer of a model, whose weight can be packed.
public struct LinearModule: Hashable, Sendable {
  /// Its name, without `.weight`.
  public var name: String
  /// What it does.
  public var kind: ModuleKind
  /// Outputs and inputs.
  public var shape: [Int]
}

/// The linear layers of a model, found by building it without weights.
final class LinearModules: WeightSource {
  /// A linear layer.
  struct Module: Hashable {
    /// Its name, without `.weight`.
    var name: String
    /// Outputs and inputs.
    var shape: [Int]
  }

  /// In the order in which a model asks for them.
  private(set) var modules: [Module] = []
  /// All other weights.
  private(set) var others: [Module] = []
  private let path: FilePath

  /// The most layers that are named: a configuration may say any numbers of layers and experts.
  static let mostModules = 1 << 20

  init(_ path: FilePath) { self.path = path }

  /// The layers with what they do.
  func modules(of kind: (_ name: String) -> ModuleKind) -> [LinearModule] {
    modules.map { LinearModule(name: $0.name, kind: kind($0.name), shape: $0.shape) }
  }

  func weight(_ name: String, _ shape: [Int], start: WeightStart) -> Parameter {
    others.append(Module(name: name, shape: shape))
    return Parameter(Tensor.zeros(shape.map { _ in 0 }))
  }

  func linear(
    _ name: String, outputs: Int, inputs: Int, start: WeightStart
  ) -> any LinearWeight {
    add(name, [outputs, inputs])
    return Parameter(Tensor.zeros([0, 0]))
  }

  func expertLinears(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [any LinearWeight] {
    guard modules.count + experts <= Self.mostModules else {
      throw ModelError.tooManyModules(path: path, limit: Self.mostModules)
    }
    for expert in 0..<experts { add(block.name(expert, projection), shape) }
    return (0..<experts).map { _ in Parameter(Tensor.zeros([0, 0])) }
  }

  private func add(_ name: String, _ shape: [Int]) {
    modules.append(Module(name: String(name.dropLast(".weight".count)), shape: shape))
  }
}
