import MoECore
public import SystemPackage

/// Converts other systems' routing records to the trace format.
public struct TraceImport {
  /// What a file does not say itself.
  public struct Options: Hashable, Sendable {
    /// The number of experts per layer; `nil` for the largest id that occurs, plus 1.
    public var experts: Int?
    /// The number of slots per token, if the format does not store it.
    public var k: Int?
    /// Indices of the sparse layers: of all that the file has, or of some that it names; `nil` for those in the file
    /// that have choices.
    public var layers: [Int]?
    /// An `.npy` file with a weight per choice, for `.npy` files.
    public var weights: FilePath?
    /// An `.npy` file with the length of each sequence, for `.npy` files.
    public var sequenceLengths: FilePath?
    /// The model's name.
    public var model: String?

    /// Options that take everything from the file.
    public init() {}
  }

  /// The file to import; the first, if there are several.
  public let path: FilePath
  /// All files of the recording: one per rank, or per layer.
  public let paths: [FilePath]
  /// What the file does not say itself.
  public let options: Options
  private let importer: TraceImporter
  private let notes = Notes()

  /// Notes are collected while an importer works, whose conversion changes nothing else of the request.
  private final class Notes { var all: [Note] = [] }

  /// Prepares to import a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - others: More files of the same recording, for importers that join them.
  ///   - importer: How to read it; `nil` for the first of ``TraceImporters`` that recognises it.
  ///   - options: What the file does not say itself.
  /// - Throws: ``TracingError`` when the importer is not named and none recognises the file, or it does not join files.
  public init(
    _ path: FilePath, joining others: [FilePath] = [], with importer: TraceImporter? = nil,
    options: Options = Options()
  ) throws {
    (self.path, self.options, paths) = (path, options, [path] + others)
    self.importer = try importer ?? TraceImporters.importer(of: path)
    guard others.isEmpty || self.importer.joinsFiles else {
      throw TracingError.invalidRequest(
        "files of the format \(self.importer.name) cannot be joined; import them one by one")
    }
  }

  /// Writes the trace.
  ///
  /// - Returns: What was assumed or left out.
  /// - Throws: ``TracingError``, `PickleError` or `FileError`; nothing is left behind in that case.
  @discardableResult
  public func write(to target: FilePath) throws -> [Note] {
    do {
      try importer.convert(self, target)
    } catch TracingError.invalidRequest(let problem) {
      throw TracingError.invalidFile(path, problem)
    } catch TracingError.expertOutOfRange(_, let token, let layer, let expert, let experts) {
      throw TracingError.expertOutOfRange(
        path, token: token, layer: layer, expert: expert, experts: experts)
    } catch TracingError.expertRepeated(_, let token, let layer, let expert) {
      throw TracingError.expertRepeated(path, token: token, layer: layer, expert: expert)
    }
    return notes.all
  }

  /// Notes what was assumed or left out.
  public func note(_ note: Note) { notes.all.append(note) }

  /// The header of the trace: values from the options, or else from the file.
  ///
  /// - Parameters:
  ///   - layers: Indices of the sparse layers.
  ///   - experts: Experts per layer.
  ///   - k: Slots per token.
  ///   - model: The model's name in the file.
  /// - Returns: A header that names the importer and the file as the source.
  public func header(
    layers: [Int], experts: Int, k: Int, model: String? = nil
  ) -> RoutingTraceHeader {
    RoutingTraceHeader(
      model: options.model ?? model, layers: layers, experts: experts, k: k,
      source: "\(importer.name): \(path.lastComponent?.string ?? "")")
  }
}
