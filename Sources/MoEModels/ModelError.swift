public import MoECore
public import SystemPackage

/// Why a model could not be opened.
public enum ModelError: Error, Hashable {
  /// There is no model at a path; `problem` says what is there and continues a sentence that begins
  /// with the path.
  case noModel(path: FilePath, problem: String)
  /// The folder contains a training run that is not complete.
  case unfinishedRun(path: FilePath, checkpoint: FilePath?, snapshot: FilePath?)
  /// The model is not of the kind that is needed.
  case otherKind(path: FilePath, found: String?, expected: String)
  /// The folder contains a model of another architecture.
  case unsupportedFamily(path: FilePath, name: String, supported: [String])
  /// The checkpoint lacks a weight.
  case missingWeight(path: FilePath, name: String)
  /// The shape of a weight differs from the configuration.
  case wrongShape(path: FilePath, name: String, found: [Int], expected: [Int])
  /// A file contains the weights of a different model than expected.
  case otherModel(path: FilePath, found: String, expected: String)
  /// The tokenizer of a model has tokens that the model does not know.
  case otherTokenizer(path: FilePath, tokens: Int, vocabulary: Int)
  /// A weight is not of a floating-point type.
  case wrongType(path: FilePath, name: String, found: DType)
  /// A packed weight contradicts itself or the configuration; `problem` says how.
  case wrongPackedWeight(path: FilePath, name: String, problem: String)
  /// The weights of a model are to be packed, but they are already.
  case alreadyPacked(path: FilePath)
  /// A configuration describes more linear layers than can be listed.
  case tooManyModules(path: FilePath, limit: Int)
  /// A quantized checkpoint has a tensor that the model does not use.
  case unknownWeight(path: FilePath, name: String)
}

extension ModelError: CustomStringConvertible {
  /// What is wrong, where, and what to change.
  public var description: String {
    switch self {
    case .noModel(let path, let problem): "\(path) \(problem)".printable
    case .unfinishedRun(let path, let checkpoint, let snapshot):
      "\(path) is a training run without a finished model; \(Self.remedy(checkpoint, snapshot))"
    case .otherKind(let path, let found, let expected):
      "\(path) holds \(found ?? "no model of a known kind"), but \(expected) is needed"
    case .unsupportedFamily(let path, let name, let supported):
      "\(path): the model type '\(name.printableValue)' is not supported; supported are \(supported.joined(separator: ", "))"
    case .missingWeight(let path, let name):
      "\(path): the weight '\(name)' is missing; the checkpoint is incomplete or of another architecture"
    case .wrongShape(let path, let name, let found, let expected):
      "\(path): the weight '\(name)' has the shape \(found), but the configuration says \(expected)"
    case .otherModel(let path, let found, let expected):
      "\(path): it holds \(found), but the configuration describes \(expected)"
    case .otherTokenizer(let path, let tokens, let vocabulary):
      "\(path): the tokenizer knows \(tokens) tokens, but the model only \(vocabulary); use the tokenizer that belongs to the model"
    case .wrongType(let path, let name, let found):
      "\(path): the weight '\(name)' has the type \(found); weights must be f32, bf16, f16 or f64"
    case .wrongPackedWeight(let path, let name, let problem):
      "\(path): the quantized weight '\(name)': \(problem)".printable
    case .alreadyPacked(let path):
      "\(path): its weights are quantized already; quantize the model that it was made from"
    case .tooManyModules(let path, let limit):
      "\(path): its configuration describes more than \(limit) linear layers; the numbers of layers and experts are wrong"
    case .unknownWeight(let path, let name):
      "\(path): the tensor '\(name)' is not part of the model, or is stored twice; a quantized model must use every tensor once"
        .printable
    }
  }

  /// How to get a model from an unfinished run.
  private static func remedy(_ checkpoint: FilePath?, _ snapshot: FilePath?) -> String {
    guard let checkpoint else { return "it has no checkpoint yet; start it again" }
    let ways = "its newest checkpoint is \(checkpoint): continue the run to its end"
    return snapshot.map { "\(ways), or name a snapshot such as \($0)" } ?? ways
  }
}
