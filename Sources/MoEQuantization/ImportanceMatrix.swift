import MoECore
public import MoEModels
import MoETensor
public import SystemPackage

/// What an importance matrix of llama.cpp, a GGUF file, tells of the inputs of a model's linear layers.
///
/// The file has a sum of squares for every input and a number of tokens for every matrix. The matrices of experts, which
/// are stacked in the file, are modules of their own here.
/// - SeeAlso: [llama-imatrix](https://github.com/ggml-org/llama.cpp/blob/master/tools/imatrix/README.md).
public struct ImportanceMatrix: Sendable {
  /// The inputs of one linear layer.
  public struct Module: Hashable, Sendable {
    /// The mean of the squares of every input; `nil` if no token was seen, when all inputs count alike.
    public var meanSquares: [Float]?
    /// Number of tokens that the layer processed.
    public var tokens: Double
  }

  /// The layers by name, without `.weight`; layers of which the file says nothing are absent.
  public let modules: [String: Module]
  /// The texts that the numbers were collected from, as the file names them.
  public let datasets: [String]

  /// Reads a file about a model.
  ///
  /// - Throws: ``ImportanceMatrixError``, `GGUFError` or `FileError`; what the model throws.
  public init(_ path: FilePath, for model: StoredModel) throws {
    let file = try GGUFFile(path)
    guard try file.optionalText("general.type") == "imatrix" else {
      throw file.invalid("general.type", "'imatrix'")
    }
    datasets = try file.optionalList("imatrix.datasets")?.texts() ?? []
    let known = Dictionary(
      uniqueKeysWithValues: try model.linearModules().map { ($0.name, $0.shape[1]) })
    var modules: [String: Module] = [:]
    for name in try ImportanceTensors.names(in: file) {
      guard let places = model.modules(ofGGUF: name), let inputs = known[places.first ?? ""],
        places.allSatisfy({ known[$0] == inputs })
      else {
        throw ImportanceMatrixError(
          path: path, tensor: name, found: "no layer of this name",
          expected: "a linear layer of the model \(model.path)")
      }
      let tensors = ImportanceTensors(file, name, count: places.count, inputs: inputs)
      for (place, module) in zip(places, try tensors.modules()) { modules[place] = module }
    }
    self.modules = modules
  }
}

/// The two tensors of one or several matrices.
private struct ImportanceTensors {
  private static let (sums, counts) = (".in_sum2", ".counts")

  let file: GGUFFile
  let name: String
  /// Number of matrices.
  let count: Int
  let inputs: Int

  init(_ file: GGUFFile, _ name: String, count: Int, inputs: Int) {
    (self.file, self.name, self.count, self.inputs) = (file, name, count, inputs)
  }

  /// The names of all tensors of the model that the file describes.
  static func names(in file: GGUFFile) throws(ImportanceMatrixError) -> [String] {
    var names: Set<String> = []
    for tensor in file.tensors {
      guard let end = [sums, counts].first(where: tensor.name.hasSuffix) else {
        throw ImportanceMatrixError(
          path: file.path, tensor: tensor.name, found: "another name",
          expected: "a name that ends in '\(sums)' or '\(counts)'")
      }
      names.insert(String(tensor.name.dropLast(end.count)))
    }
    return names.sorted()
  }

  func modules() throws -> [ImportanceMatrix.Module] {
    let sums = try values(Self.sums, columns: inputs)
    let counts = try values(Self.counts, columns: 1)
    return try (0..<count).map { index in
      let tokens = Double(counts[index])
      guard tokens == 0 || tokens >= 1 else {
        throw error(name + Self.counts, "\(counts[index]) at \(index)", "0, or at least 1")
      }
      let squares = sums[index * inputs..<(index + 1) * inputs]
      return ImportanceMatrix.Module(
        meanSquares: tokens > 0 ? squares.map { Float(Double($0) / tokens) } : nil, tokens: tokens)
    }
  }

  /// The numbers of a tensor, one row for each matrix.
  private func values(_ end: String, columns: Int) throws -> [Float] {
    let name = name + end
    guard file.contains(name) else { throw error(name, "no such tensor", "one next to the other") }
    let tensor = try file.tensor(named: name)
    guard tensor.type == .f32 else { throw error(name, "the type \(tensor.type)", "F32") }
    // Dimensions of 1 at the end are not stored.
    let shapes = [[count, columns]] + (count == 1 ? [[columns]] : [])
    guard shapes.contains(tensor.shape) else {
      throw error(name, "the shape \(tensor.shape)", "\([count, columns]), one row per matrix")
    }
    let values = try file.elements(of: name).array(of: Float.self)
    if let place = values.firstIndex(where: { !($0 >= 0 && $0.isFinite) }) {
      throw error(name, "\(values[place]) at \(place)", "finite numbers of at least 0")
    }
    return values
  }

  private func error(_ tensor: String, _ found: String, _ expected: String) -> ImportanceMatrixError
  {
    ImportanceMatrixError(path: file.path, tensor: tensor, found: found, expected: expected)
  }
}

/// Why a file is not the importance matrix of a model.
public struct ImportanceMatrixError: Error, Hashable {
  /// The file.
  public var path: FilePath
  /// The tensor that is wrong.
  public var tensor: String
  /// What the file has.
  public var found: String
  /// What it must have.
  public var expected: String

  /// States what is wrong with a tensor.
  public init(path: FilePath, tensor: String, found: String, expected: String) {
    (self.path, self.tensor, self.found, self.expected) = (path, tensor, found, expected)
  }
}

extension ImportanceMatrixError: CustomStringConvertible {
  /// What is wrong, where, and what was expected.
  public var description: String {
    "\(path): tensor '\(tensor)': found \(found), expected \(expected)".printable
  }
}
