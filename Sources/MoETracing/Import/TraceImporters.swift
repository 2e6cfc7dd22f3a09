public import MoECore
public import SystemPackage

/// One system's record of routing: how its files are recognised and brought into the trace format.
public struct TraceImporter: NamedEntry {
  /// As options spell it.
  public let name: String
  /// One line about the files.
  public let help: String
  /// Whether a file is such a record, by its name and, where the name leaves it open, by its first bytes.
  let recognises: @Sendable (FilePath) throws -> Bool
  /// Writes the trace of a file.
  let convert: @Sendable (_ request: TraceImport, _ target: FilePath) throws -> Void

  /// Describes an importer.
  ///
  /// - Parameters:
  ///   - name: As options spell it; the trace says it, too.
  ///   - help: One line about the files, without a full stop.
  ///   - recognises: Whether a file is such a record, by its name and, where the name leaves it open, by its first
  ///     bytes.
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
        "\(path): its name does not tell its format; name it: \(registry.names.joined(separator: ", "))"
      )
    }
    return importer
  }
}
