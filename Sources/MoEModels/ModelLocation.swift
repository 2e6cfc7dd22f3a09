import Foundation
import MoECore
public import SystemPackage

/// Where a model is on disk: in a folder with `config.json`, in a file, or in the `model/` of a training run.
///
/// All code that opens a model resolves its path here. So a run's folder can be used wherever a
/// model's can, and a path without a model gives the same error everywhere.
public struct ModelLocation: Hashable, Sendable {
  /// The folder or file with the model.
  public let path: FilePath
  /// The folder of the training run whose result this is; `nil` if the path is the model's.
  public let run: FilePath?
  /// The value of `model_type`; `nil` for a file, and for a `config.json` that cannot be read or has none.
  public let modelType: String?

  /// Name of the file that describes the model of a folder.
  static let configuration = "config.json"

  /// Finds the model at a path: the model itself, or the result of a run if it is a run's folder.
  ///
  /// - Throws: ``ModelError/unfinishedRun(path:checkpoint:snapshot:)`` or ``ModelError/noModel(path:problem:)``;
  ///   `FileError` if there is nothing at the path or it cannot be read.
  public init(_ path: FilePath) throws {
    guard path.exists else { throw FileError.notFound(path) }
    let found = ModelLocation(at: path, run: nil)
    if found.kind != nil {
      self = found
    } else if let layout = RunLayout(path) {
      // Its config.json, if there is one, is the training configuration.
      guard layout.isFinished else { throw ModelError(unfinished: layout) }
      self.init(at: layout.model, run: path)
    } else if found.hasConfiguration {
      self = found
    } else {
      throw ModelError.noModel(path: path, problem: try Self.problem(at: path))
    }
  }

  private init(at path: FilePath, run: FilePath?) {
    let json = try? ConfigurationObject(path.appending(Self.configuration))
    (self.path, self.run, modelType) = (path, run, try? json?.optionalString("model_type"))
  }

  private var hasConfiguration: Bool { path.appending(Self.configuration).exists }

  /// Whether a path means a model or a training run, finished or not.
  public static func isNamed(by path: FilePath) -> Bool {
    let found = ModelLocation(at: path, run: nil)
    return found.hasConfiguration || found.kind != nil || RunLayout(path) != nil
  }

  /// The location of the tokenizer: for a run's folder without a tokenizer, that of its model; any
  /// other path unchanged.
  ///
  /// - Throws: As ``init(_:)``.
  public static func tokenizer(_ path: FilePath) throws -> FilePath {
    guard RunLayout(path) != nil, !path.appending("tokenizer.json").exists else { return path }
    return try ModelLocation(path).path
  }

  /// The location of the tensors: for a run's folder, those of its model; any other path unchanged.
  ///
  /// - Throws: As ``init(_:)``.
  public static func tensors(_ path: FilePath) throws -> FilePath {
    RunLayout(path) == nil ? path : try ModelLocation(path).path
  }

  /// What is at a path instead of a model, as words that follow the path.
  private static func problem(at path: FilePath) throws -> String {
    guard path.isDirectory else {
      _ = try MappedFile(path)
      return switch path.extension?.lowercased() {
      case "pt", "pth": "is a PyTorch file; convert it into a model's folder first"
      case "safetensors": "contains only tensors; name the folder that contains it and config.json"
      default: "is neither the folder of a model nor a GGUF file"
      }
    }
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: path.string) else {
      throw FileError.permissionDenied(path)
    }
    guard !names.isEmpty else { return "does not contain a model: the folder is empty" }
    return "does not contain a model: there is no \(configuration); found \(listed(names))"
  }

  /// A few names, visible ones first, and the number of the rest.
  private static func listed(_ names: [String]) -> String {
    let sorted = names.sorted { ($0.hasPrefix(".") ? 1 : 0, $0) < ($1.hasPrefix(".") ? 1 : 0, $1) }
    let shown = sorted.prefix(sorted.count <= 3 ? 3 : 2)
    let rest = sorted.count - shown.count
    return shown.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
  }
}

extension ModelError {
  /// Says what to do about an unfinished run.
  fileprivate init(unfinished run: RunLayout) {
    self = .unfinishedRun(
      path: run.folder, checkpoint: run.checkpoints.newest, snapshot: run.snapshots.newest)
  }
}
