/// The characters that one step of a regular expression matches, such as `\p{L}` or `[一-龥ぁ-ん]`.
struct CharacterClass: Sendable {
  /// Bits of ``ScalarClasses/Class``: characters in any of these classes belong.
  private var mask: UInt8 = 0
  /// Further characters: disjoint ranges in ascending order.
  private var ranges: [ClosedRange<UInt32>] = []
  /// Whether it holds the characters outside mask and ranges instead, as `[^…]` does.
  private var isInverted = false

  /// Whether a code point belongs; `classes` are its classes.
  @inline(__always)
  func contains(_ value: UInt32, classes: UInt8) -> Bool {
    (classes & mask != 0 || isInRanges(value)) != isInverted
  }

  private func isInRanges(_ value: UInt32) -> Bool {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].contains(value) { return true }
      if ranges[middle].lowerBound > value { high = middle } else { low = middle + 1 }
    }
    return false
  }

  // MARK: Reading

  /// Reads `[…]`, a class such as `\p{L}` or `\s`, or a single escaped character, from the front of an expression.
  ///
  /// `nil` where an expression begins differently, or uses what is not known here: nested classes,
  /// intersections, `\w`, `\P{…}`.
  init?(_ expression: inout Substring.UnicodeScalarView) {
    if expression.first == "[" {
      expression.removeFirst()
      guard readMembers(&expression) else { return nil }
    } else {
      guard expression.first == "\\", let item = Self.item(&expression) else { return nil }
      insert(item)
    }
    ranges = Self.merged(ranges)
  }

  /// A class or a character inside of brackets.
  private enum Item {
    case classes(UInt8)
    case character(UInt32)
  }

  private mutating func insert(_ item: Item) {
    switch item {
    case .classes(let classes): mask |= classes
    case .character(let value): ranges.append(value...value)
    }
  }

  private mutating func readMembers(_ expression: inout Substring.UnicodeScalarView) -> Bool {
    if expression.first == "^" {
      isInverted = true
      expression.removeFirst()
    }
    // Engines differ in how they read a bracket that closes at once.
    guard expression.first != "]" else { return false }
    while let next = expression.first, next != "]" {
      guard let item = Self.item(&expression) else { return false }
      let rest = expression.prefix(2)
      guard rest.first == "-", rest.count == 2, rest.last != "]" else {
        insert(item)
        continue
      }
      expression.removeFirst()
      guard case .character(let first) = item,
        case .character(let last)? = Self.item(&expression), first <= last
      else { return false }
      ranges.append(first...last)
    }
    return expression.popFirst() == "]"
  }

  private static func item(_ expression: inout Substring.UnicodeScalarView) -> Item? {
    guard let scalar = expression.popFirst() else { return nil }
    switch scalar {
    case "[": return nil
    case "&" where expression.first == "&": return nil
    case "\\": return escaped(&expression)
    default: return .character(scalar.value)
    }
  }

  private static func escaped(_ expression: inout Substring.UnicodeScalarView) -> Item? {
    guard let scalar = expression.popFirst() else { return nil }
    switch scalar {
    case "r": return .character(0x0D)
    case "n": return .character(0x0A)
    case "t": return .character(0x09)
    case "s": return .classes(ScalarClasses.Class.space)
    case "p": return property(&expression)
    case "u": return hexadecimal(&expression, digits: 4)
    default:
      // Other letters and digits have meanings of their own.
      let isSign = scalar.isASCII && !scalar.properties.isAlphabetic && !("0"..."9" ~= scalar)
      return isSign ? .character(scalar.value) : nil
    }
  }

  private static func property(_ expression: inout Substring.UnicodeScalarView) -> Item? {
    let name = String(String.UnicodeScalarView(expression.prefix(3)))
    let masks = [
      "{L}": ScalarClasses.Class.letter, "{N}": ScalarClasses.Class.number,
      "{P}": ScalarClasses.Class.punctuation, "{S}": ScalarClasses.Class.symbol,
      "{M}": ScalarClasses.Class.mark,
    ]
    guard let mask = masks[name] else { return nil }
    expression.removeFirst(3)
    return .classes(mask)
  }

  private static func hexadecimal(
    _ expression: inout Substring.UnicodeScalarView, digits: Int
  ) -> Item? {
    let text = String(String.UnicodeScalarView(expression.prefix(digits)))
    guard text.utf8.count == digits, text.utf8.first != UInt8(ascii: "+"),
      text.utf8.first != UInt8(ascii: "-"), let value = UInt32(text, radix: 16)
    else { return nil }
    expression.removeFirst(digits)
    return .character(value)
  }

  private static func merged(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = result.last, range.lowerBound <= last.upperBound {
        result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        result.append(range)
      }
    }
    return result
  }
}
