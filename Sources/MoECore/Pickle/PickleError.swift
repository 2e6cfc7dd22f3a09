public import SystemPackage

/// Why a file in PyTorch's `.pt` format was refused.
///
/// Nothing in such a file is ever executed.
public struct PickleError: Error, Hashable {
  /// The file.
  public var path: FilePath
  /// The rule that it breaks.
  public var reason: Reason

  /// States that a file breaks a rule.
  public init(path: FilePath, reason: Reason) { (self.path, self.reason) = (path, reason) }

  /// The rules, one case each.
  public enum Reason: Error, Hashable {
    /// The zip container is not what PyTorch writes.
    case invalidContainer(String)
    /// An opcode that this program does not interpret.
    case unknownOpcode(UInt8, offset: Int)
    /// A function or class that is not on the list of those that tensors need.
    case forbiddenGlobal(String)
    /// The program of the pickle is cut short or makes no sense.
    case invalidPickle(offset: Int, String)
    /// More work or memory than any real file needs.
    case tooLarge(String)
  }
}

extension PickleError: CustomStringConvertible {
  /// What, where, what was expected, and what to change.
  public var description: String { "\(path): \(text)".printable }

  private var text: String {
    switch reason {
    case .invalidContainer(let problem):
      "\(problem); expected the uncompressed zip that torch.save writes since PyTorch 1.6"
    case .unknownOpcode(let code, let offset):
      "its pickle uses opcode 0x\(String(code, radix: 16)) at byte \(offset), which is not interpreted; save plain tensors, lists and dictionaries"
    case .forbiddenGlobal(let name):
      "its pickle asks for '\(name)', which is refused: only tensors and plain containers are read, and nothing is executed"
    case .invalidPickle(let offset, let problem):
      "its pickle is broken at byte \(offset): \(problem)"
    case .tooLarge(let what):
      "\(what), more than any checkpoint needs; it was refused"
    }
  }
}
