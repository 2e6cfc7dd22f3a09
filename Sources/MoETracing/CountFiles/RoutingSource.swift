public import SystemPackage

/// What a file says about routing: a trace, or counts if nothing else is known.
public enum RoutingSource {
  /// The choices of every token.
  case trace(RoutingTrace)
  /// How often each expert was chosen.
  case counts(RoutingCounts)

  /// Opens a trace, which is a safetensors file whatever its name, or reads counts.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - others: More files of counts, such as those of other ranks, to be added.
  /// - Throws: ``TracingError``, or an error from reading the file.
  public init(_ path: FilePath, adding others: [FilePath] = []) throws {
    guard try ([path] + others).contains(where: Self.isTrace) else {
      self = .counts(try CountMatrix.read(path, adding: others))
      return
    }
    guard others.isEmpty else {
      throw TracingError.invalidRequest(
        "\(path): only files of counts can be added; import the records of all ranks as one trace")
    }
    self = .trace(try RoutingTrace(path))
  }

  private static func isTrace(_ path: FilePath) throws -> Bool {
    try path.extension == "safetensors" || TextStart(path).isSafetensors
  }

  /// Everything that drift compares.
  ///
  /// - Throws: ``TracingError`` for a damaged trace.
  public func counts() throws -> RoutingCounts {
    switch self {
    case .trace(let trace): try RoutingCounts(trace, tables: [.firstTransitions])
    case .counts(let counts): counts
    }
  }
}
