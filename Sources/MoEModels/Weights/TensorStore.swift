import MoECore
import MoETensor
import SystemPackage

/// A file, or a folder of files, with tensors under their names in checkpoints.
protocol TensorStore: AnyObject {
  /// Where the tensors are stored, for messages.
  var path: FilePath { get }
  /// Names of all tensors.
  var names: [String] { get }
  /// What is known about a tensor without reading it; `nil` if there is none.
  func header(named name: String) -> TensorHeader?
  /// The name of a tensor in the file, for messages.
  func storedName(of name: String) -> String
  /// A tensor in its stored type, or in f32 if that is not a type to compute in.
  func tensor(named name: String) throws -> Tensor
}

/// What is known about a stored tensor without reading it.
struct TensorHeader: Hashable {
  /// Its shape.
  var shape: [Int]
  /// Its type; `nil` for quantized blocks, which become f32.
  var dtype: DType?
}

extension TensorStore {
  func storedName(of name: String) -> String { name }

  /// Checks that there is a floating-point tensor of a shape.
  ///
  /// - Returns: What is known about it.
  /// - Throws: ``ModelError``.
  @discardableResult
  func checked(_ name: String, _ shape: [Int]) throws(ModelError) -> TensorHeader {
    guard let header = header(named: name) else { throw .missingWeight(path: path, name: name) }
    guard header.shape == shape else {
      throw .wrongShape(
        path: path, name: storedName(of: name), found: header.shape, expected: shape)
    }
    guard let dtype = header.dtype else { return header }
    guard DType.computable.contains(dtype) else {
      throw .wrongType(path: path, name: name, found: dtype)
    }
    return header
  }
}

extension SafetensorsCheckpoint {
  /// The type of the first tensor that is stored in a type to compute in, by file and then by name, where transformers
  /// looks for it; `nil` if there is none.
  var firstType: DType? {
    for shard in shards {
      let entries = shard.header.entries.filter { DType.computable.contains($0.dtype) }
      if let first = entries.min(by: { $0.name < $1.name }) { return first.dtype }
    }
    return nil
  }
}

extension SafetensorsCheckpoint: TensorStore {
  var names: [String] { entries.map(\.name) }

  func header(named name: String) -> TensorHeader? {
    guard let entry = try? shard(holding: name).entry(named: name) else { return nil }
    return TensorHeader(shape: entry.shape, dtype: entry.dtype)
  }
}
