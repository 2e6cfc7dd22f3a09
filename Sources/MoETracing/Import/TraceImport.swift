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
    /// Indices of the sparse layers; `nil` for those in the file, or 0, 1, ….
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

  /// The file to import.
  public let path: FilePath
  /// What the file does not say itself.
  public let options: Options
  private let importer: TraceImporter

  /// Prepares to import a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - importer: How to read it; `nil` for the first of ``TraceImporters`` that recognises it.
  ///   - options: What the file does not say itself.
  /// - Throws: ``TracingError/invalidRequest(_:)`` when the importer is not named and none recognises the file's
  ///   name and first bytes.
  public init(
    _ path: FilePath, with importer: TraceImporter? = nil, options: Options = Options()
  ) throws {
    (self.path, self.options) = (path, options)
    self.importer = try importer ?? TraceImporters.importer(of: path)
  }

  /// Writes the trace.
  ///
  /// - Throws: ``TracingError``, `PickleError` or `FileError`; nothing is left behind in that case.
  public func write(to target: FilePath) throws {
    do {
      try importer.convert(self, target)
    } catch TracingError.invalidRequest(let problem) {
      throw TracingError.invalidFile(path, problem)
    } catch TracingError.expertOutOfRange(_, let token, let layer, let expert, let experts) {
      throw TracingError.expertOutOfRange(
        path, token: token, layer: layer, expert: expert, experts: experts)
    }
  }

  /// The header of the trace: values from the options, or else from the file.
  ///
  /// - Parameters:
  ///   - layers: Indices of the sparse layers.
  ///   - experts: Experts per layer.
  ///   - k: Slots per token.
  /// - Returns: A header that names the importer and the file as the source.
  public func header(layers: [Int], experts: Int, k: Int) -> RoutingTraceHeader {
    RoutingTraceHeader(
      model: options.model, layers: options.layers ?? layers, experts: experts, k: k,
      source: "\(importer.name): \(path.lastComponent?.string ?? "")")
  }

  /// Checks that the options name as many layers as the file has.
  ///
  /// - Throws: ``TracingError/invalidRequest(_:)``.
  public func check(layers count: Int) throws {
    if let layers = options.layers, layers.count != count {
      throw TracingError.invalidRequest(
        "\(layers.count) layers are named, but \(path) has \(count)")
    }
  }
}
