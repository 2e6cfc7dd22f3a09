import MoECore
import MoETensor
import SystemPackage

/// A file, or a folder of files, with tensors under the names of checkpoints.
protocol TensorStore: AnyObject {
  /// Where the tensors are stored, for messages.
  var path: FilePath { get }
  /// Names of all tensors.
  var names: [String] { get }
  /// What is known of a tensor without reading it; `nil` when there is none.
  func header(named name: String) -> TensorHeader?
  /// A tensor, in the type in which it is stored or, where that is no type to compute in, in f32.
  func tensor(named name: String) throws -> Tensor
}

/// What is known of a stored tensor without reading it.
struct TensorHeader: Hashable {
  /// Its shape.
  var shape: [Int]
  /// Its type; `nil` for blocks of quantized numbers, which become f32.
  var dtype: DType?
}

extension TensorStore {
  /// Checks that there is a floating-point tensor of a shape.
  ///
  /// - Returns: What is known of it.
  /// - Throws: ``ModelError``.
  @discardableResult
  func checked(_ name: String, _ shape: [Int]) throws(ModelError) -> TensorHeader {
    guard let header = header(named: name) else { throw .missingWeight(path: path, name: name) }
    guard header.shape == shape else {
      throw .wrongShape(path: path, name: name, found: header.shape, expected: shape)
    }
    guard let dtype = header.dtype else { return header }
    guard [.f64, .f32, .bf16, .f16].contains(dtype) else {
      throw .wrongType(path: path, name: name, found: dtype)
    }
    return header
  }
}

extension SafetensorsCheckpoint: TensorStore {
  var names: [String] { entries.map(\.name) }

  func header(named name: String) -> TensorHeader? {
    guard let entry = try? shard(holding: name).entry(named: name) else { return nil }
    return TensorHeader(shape: entry.shape, dtype: entry.dtype)
  }
}
