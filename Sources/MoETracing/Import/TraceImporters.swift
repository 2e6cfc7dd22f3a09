public import MoECore
public import SystemPackage

/// One system's record of routing: how its files are recognised and converted to the trace format.
public struct TraceImporter: NamedEntry {
  /// The name in options.
  public let name: String
  /// One line about the files.
  public let help: String
  /// Whether a file is such a record, judged by its name and, if that is ambiguous, by its first
  /// bytes.
  let recognises: @Sendable (FilePath) throws -> Bool
  /// Whether several files of one recording, such as one per rank, become one trace.
  let joinsFiles: Bool
  /// Writes the trace of a file.
  let convert: @Sendable (_ request: TraceImport, _ target: FilePath) throws -> Void

  /// Creates an importer.
  ///
  /// - Parameters:
  ///   - name: The name in options, which is also written to the trace.
  ///   - help: One line about the files, without a full stop.
  ///   - joinsFiles: Whether it reads all of the request's ``TraceImport/paths``.
  ///   - recognises: Whether a file is such a record, judged by its name and, if that is ambiguous,
  ///     by its first bytes.
  ///   - convert: Writes the trace of the request's file to a path, for example with
  ///     ``TraceImport/write(_:to:)``.
  public init(
    _ name: String, help: String, joinsFiles: Bool = false,
    recognises: @escaping @Sendable (FilePath) throws -> Bool,
    convert: @escaping @Sendable (_ request: TraceImport, _ target: FilePath) throws -> Void
  ) {
    (self.name, self.help, self.joinsFiles) = (name, help, joinsFiles)
    (self.recognises, self.convert) = (recognises, convert)
  }
}

/// The importers that can be named.
public enum TraceImporters {
  /// The importers by name.
  public static let registry = Registry<TraceImporter>(
    "trace importer", [.sglang, .megatron, .vllm, .esft, .gptoss, .numpy, .exflow, .llamacpp])

  /// The first importer that recognises a file.
  static func importer(of path: FilePath) throws -> TraceImporter {
    guard let importer = try registry.all.first(where: { try $0.recognises(path) }) else {
      let names = registry.names.joined(separator: ", ")
      let guess = path.isDirectory ? nil : try ForeignFile(path)
      throw TracingError.invalidFile(
        path,
        guess?.sentence
          ?? "neither its name nor its content determines its format; specify it: \(names)")
    }
    return importer
  }
}
