public import MoECore
public import SystemPackage

/// Why a model could not be opened.
public enum ModelError: Error, Hashable {
  /// The folder holds a model of another architecture.
  case unsupportedFamily(path: FilePath, name: String, supported: [String])
  /// The checkpoint lacks a weight.
  case missingWeight(path: FilePath, name: String)
  /// A weight has another shape than the configuration says.
  case wrongShape(path: FilePath, name: String, found: [Int], expected: [Int])
  /// A file holds the weights of another model than it should.
  case otherModel(path: FilePath, found: String, expected: String)
  /// A weight is not of a floating-point type.
  case wrongType(path: FilePath, name: String, found: DType)
}

extension ModelError: CustomStringConvertible {
  /// What is wrong, where, and what to change.
  public var description: String {
    switch self {
    case .unsupportedFamily(let path, let name, let supported):
      "\(path): the model type '\(name)' is not supported; supported are \(supported.joined(separator: ", "))"
    case .missingWeight(let path, let name):
      "\(path): the weight '\(name)' is missing; the checkpoint is incomplete or of another architecture"
    case .wrongShape(let path, let name, let found, let expected):
      "\(path): the weight '\(name)' has the shape \(found), but the configuration says \(expected)"
    case .otherModel(let path, let found, let expected):
      "\(path): it holds \(found), but the configuration describes \(expected)"
    case .wrongType(let path, let name, let found):
      "\(path): the weight '\(name)' has the type \(found); weights must be f32, bf16, f16 or f64"
    }
  }
}
