public import MoETensor

/// A position in the order in which windows are trained on.
public struct DataPosition: Hashable, Codable, Sendable {
  /// Complete passes over all windows.
  public var epoch: Int
  /// Completed windows of the current pass.
  public var index: Int

  /// Creates a position; by default the beginning.
  public init(epoch: Int = 0, index: Int = 0) { (self.epoch, self.index) = (epoch, index) }
}

/// Windows of tokens in a shuffled order that depends only on a seed and the epoch.
///
/// Window w holds the tokens from `w · context` to `(w + 1) · context`, both included: it predicts `context`
/// tokens, and every token of the range but the first is predicted once per epoch (except for a
/// remainder at the end that does not fill a window).
public struct TokenWindows {
  /// The source of the tokens.
  public let file: TokenFile
  /// The range of tokens that is used.
  public let range: Range<Int>
  /// Tokens that a window predicts.
  public let context: Int
  /// Number of windows.
  public let count: Int

  /// Divides a range of tokens into windows.
  ///
  /// - Throws: ``DataError/tooShort(_:tokens:needed:)`` if they do not fill a window.
  public init(_ file: TokenFile, range: Range<Int>? = nil, context: Int) throws(DataError) {
    let range = range ?? 0..<file.count
    precondition(context >= 1 && range.lowerBound >= 0 && range.upperBound <= file.count)
    guard range.count > context else {
      throw .tooShort(file.path, tokens: range.count, needed: context + 1)
    }
    (self.file, self.range, self.context) = (file, range, context)
    count = (range.count - 1) / context
  }

  /// One window, `context + 1` tokens.
  public func window(_ number: Int) throws -> [Int] {
    let start = range.lowerBound + number * context
    return try file.tokens(in: start..<start + context + 1)
  }

  /// Some windows as a tensor, i64, shape `[windows, context + 1]`.
  public func windows(_ numbers: [Int]) throws -> Tensor {
    Tensor(try numbers.flatMap { try window($0) }, shape: [numbers.count, context + 1])
  }
}
