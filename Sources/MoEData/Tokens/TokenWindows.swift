public import MoETensor

/// A place in the order in which windows are trained on.
public struct DataPosition: Hashable, Codable, Sendable {
  /// Passes over all windows that are complete.
  public var epoch: Int
  /// Windows of the present pass that are done.
  public var index: Int

  /// Names a place; by default the beginning.
  public init(epoch: Int = 0, index: Int = 0) { (self.epoch, self.index) = (epoch, index) }
}

/// Windows of tokens in a shuffled order that depends on a seed and the epoch alone.
///
/// Window w holds the tokens from `w · context` to `(w + 1) · context`, both included: it predicts `context`
/// tokens, and every token of the range but the first is predicted once per epoch (save for a rest at the end
/// that fills no window).
public struct TokenWindows {
  /// Where the tokens come from.
  public let file: TokenFile
  /// Which of them take part.
  public let range: Range<Int>
  /// Tokens that a window predicts.
  public let context: Int
  /// Number of windows.
  public let count: Int

  /// Divides a range of tokens into windows.
  ///
  /// - Throws: ``DataError/tooShort(_:tokens:needed:)`` when there is not a single window.
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
