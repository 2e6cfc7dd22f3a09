/// A selection of a model's layers.
public enum LayerSelection: Hashable, Sendable {
  /// All layers.
  case all
  /// Every n-th layer, beginning with the n-th: indices n − 1, 2n − 1, ….
  case every(Int)
  /// The last n layers.
  case last(Int)
  /// Layers by index, from 0.
  case places([ClosedRange<Int>])

  /// Parses `all`, `every-2`, `last-8`, or indices such as `0,3,5-9`; `nil` for anything else.
  public init?(parsing text: String) {
    func count(after prefix: String) -> Int? {
      text.hasPrefix(prefix) ? Int(text.dropFirst(prefix.count)).flatMap { $0 > 0 ? $0 : nil } : nil
    }
    if text == "all" {
      self = .all
    } else if let step = count(after: "every-") {
      self = .every(step)
    } else if let number = count(after: "last-") {
      self = .last(number)
    } else {
      let parts = text.split(separator: ",", omittingEmptySubsequences: false)
      let ranges = parts.compactMap { part -> ClosedRange<Int>? in
        let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard 1...2 ~= ends.count, let first = ends[0], let last = ends[ends.count - 1],
          0...last ~= first
        else { return nil }
        return first...last
      }
      guard ranges.count == parts.count else { return nil }
      self = .places(ranges)
    }
  }

  /// The indices in a model of `count` layers, in order; `nil` if one is out of range.
  public func places(of count: Int) -> [Int]? {
    switch self {
    case .all: return Array(0..<count)
    case .every(let step): return (0..<count).filter { ($0 + 1).isMultiple(of: step) }
    case .last(let number): return number <= count ? Array(count - number..<count) : nil
    case .places(let ranges):
      guard ranges.allSatisfy({ $0.upperBound < count }) else { return nil }
      return Set(ranges.flatMap { Array($0) }).sorted()
    }
  }
}
