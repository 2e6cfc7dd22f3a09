public import SystemPackage

/// What a file says about routing: a trace, or counts if nothing else is known.
public enum RoutingSource {
  /// The choices of every token.
  case trace(RoutingTrace)
  /// How often each expert was chosen.
  case counts(RoutingCounts)

  /// Opens a trace (`.safetensors`), or reads a file of counts.
  ///
  /// - Throws: ``TracingError``, or an error from reading the file.
  public init(_ path: FilePath) throws {
    self =
      try path.extension == "safetensors"
      ? .trace(RoutingTrace(path)) : .counts(CountMatrix.read(path))
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
