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
    /// An opcode that is not supported.
    case unknownOpcode(UInt8, offset: Int)
    /// A function or class that is not on the allow list.
    case forbiddenGlobal(String)
    /// The pickle program is cut short or invalid.
    case invalidPickle(offset: Int, String)
    /// The pickle needs more work or memory than any real file.
    case tooLarge(String)
  }
}

extension PickleError: CustomStringConvertible {
  /// What is wrong, where, what was expected, and what to change.
  public var description: String { "\(path): \(text)".printable }

  private var text: String {
    switch reason {
    case .invalidContainer(let problem):
      "\(problem); expected the uncompressed zip that torch.save writes since PyTorch 1.6"
    case .unknownOpcode(let code, let offset):
      "its pickle uses opcode 0x\(String(code, radix: 16)) at byte \(offset), which is not supported; save plain tensors, lists and dictionaries"
    case .forbiddenGlobal(let name):
      "its pickle asks for '\(name)', which is refused: only tensors, plain values and containers are read, and nothing is executed"
    case .invalidPickle(let offset, let problem):
      "its pickle is broken at byte \(offset): \(problem)"
    case .tooLarge(let what):
      "\(what), more than any checkpoint needs; it was refused"
    }
  }
}
