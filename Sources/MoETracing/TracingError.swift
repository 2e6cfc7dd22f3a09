import MoECore
public import SystemPackage

/// Why a trace, or a file to be converted to one, was refused.
public enum TracingError: Error, Hashable {
  /// A file violates its format; the text says how, where, and what was expected.
  case invalidFile(FilePath, String)
  /// A safetensors file is not a routing trace; the text says what it lacks.
  case notATrace(FilePath, String)
  /// A token chose an expert that the layer does not have.
  case expertOutOfRange(FilePath, token: Int, layer: Int, expert: Int, experts: Int)
  /// A token chose an expert of a layer twice.
  case expertRepeated(FilePath, token: Int, layer: Int, expert: Int)
  /// A request cannot be fulfilled; the text says why and what to change.
  case invalidRequest(String)
}

extension TracingError: CustomStringConvertible {
  /// What is wrong, where, what was expected, and what to change.
  public var description: String { text.printable }

  private var text: String {
    switch self {
    case .invalidFile(let path, let problem), .notATrace(let path, let problem):
      "\(path): \(problem)"
    case .expertOutOfRange(let path, let token, let layer, let expert, let experts):
      "\(path): token \(token) chose expert \(expert) in layer \(layer), which has experts 0…\(experts - 1); the trace is damaged or belongs to another model"
    case .expertRepeated(let path, let token, let layer, let expert):
      "\(path): token \(token) chose expert \(expert) in layer \(layer) twice, which no router does; the entry is padding, or the file is damaged"
    case .invalidRequest(let problem): problem
    }
  }
}
