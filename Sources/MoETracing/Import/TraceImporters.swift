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
  /// Writes the trace of a file.
  let convert: @Sendable (_ request: TraceImport, _ target: FilePath) throws -> Void

  /// Creates an importer.
  ///
  /// - Parameters:
  ///   - name: The name in options, which is also written to the trace.
  ///   - help: One line about the files, without a full stop.
  ///   - recognises: Whether a file is such a record, judged by its name and, if that is ambiguous,
  ///     by its first bytes.
  ///   - convert: Writes the trace of the request's file to a path, for example with
  ///     ``TraceImport/write(_:to:)``.
  public init(
    _ name: String, help: String, recognises: @escaping @Sendable (FilePath) throws -> Bool,
    convert: @escaping @Sendable (_ request: TraceImport, _ target: FilePath) throws -> Void
  ) {
    (self.name, self.help, self.recognises, self.convert) = (name, help, recognises, convert)
  }
}

/// The importers that can be named.
public enum TraceImporters {
  /// The importers by name.
  public static let registry = Registry<TraceImporter>(
    "trace importer", [.sglang, .megatron, .numpy, .exflow, .llamacpp])

  /// The first importer that recognises a file.
  static func importer(of path: FilePath) throws -> TraceImporter {
    guard let importer = try registry.all.first(where: { try $0.recognises(path) }) else {
      throw TracingError.invalidRequest(
        "\(path): its name does not determine its format; specify it: \(registry.names.joined(separator: ", "))"
      )
    }
    return importer
  }
}
