import Foundation

/// One of Unicode's four normalization forms.
///
/// Foundation knows the decompositions of single characters; ordering and composition are done here, because
/// Foundation's take quadratic time on long runs of combining marks and, on Linux, put some characters above
/// U+FFFF together with marks that belong to others.
///
/// - SeeAlso: Unicode Standard Annex #15, *Unicode Normalization Forms*.
struct UnicodeForm: Sendable {
  /// Whether characters are put together again: NFC and NFKC.
  let composes: Bool
  /// Whether compatibility decompositions count: NFKC and NFKD.
  let isCompatible: Bool

  /// Normalizes `text`, which is valid UTF-8.
  ///
  /// - Complexity: O(n log n).
  func apply(to text: inout [UInt8]) {
    guard !isNormalized(text) else { return }
    var scalars = decomposed(text)
    Self.order(&scalars)
    if composes { Self.compose(&scalars) }
    text.removeAll(keepingCapacity: true)
    for scalar in scalars { text.append(scalar: scalar) }
  }

  /// Whether a look at the lead bytes proves that nothing changes: below U+0300 NFC changes nothing, and
  /// in ASCII no form does.
  private func isNormalized(_ text: [UInt8]) -> Bool {
    let bound: UInt8 = composes && !isCompatible ? 0xCC : 0x80
    return text.allSatisfy { $0 < bound }
  }

  private func decomposed(_ text: [UInt8]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var known: [UInt32: [Unicode.Scalar]] = [:]
    text.forEachScalar(in: 0..<text.count) { scalar, _ in
      if scalar.value < 0x80 { return result.append(scalar) }
      if let syllable = HangulSyllable(scalar) { return result += syllable.decomposed }
      if let parts = known[scalar.value] { return result += parts }
      let parts = Self.decomposition(scalar, isCompatible: isCompatible)
      known[scalar.value] = parts
      result += parts
    }
    return result
  }

  fileprivate static func decomposition(
    _ scalar: Unicode.Scalar, isCompatible: Bool
  ) -> [Unicode.Scalar] {
    let text = String(scalar)
    let parts =
      isCompatible
      ? text.decomposedStringWithCompatibilityMapping : text.decomposedStringWithCanonicalMapping
    return Array(parts.unicodeScalars)
  }

  /// Sorts each run of combining marks by their classes; equal ones keep their order.
  private static func order(_ scalars: inout [Unicode.Scalar]) {
    var start = 0
    while start < scalars.count {
      guard combiningClass(scalars[start]) != 0 else {
        start += 1
        continue
      }
      var end = start
      while end < scalars.count, combiningClass(scalars[end]) != 0 { end += 1 }
      if end - start > 1 {
        let run = scalars[start..<end].enumerated().sorted {
          (combiningClass($0.element), $0.offset) < (combiningClass($1.element), $1.offset)
        }
        scalars.replaceSubrange(start..<end, with: run.map(\.element))
      }
      start = end
    }
  }

  private static func combiningClass(_ scalar: Unicode.Scalar) -> UInt8 {
    scalar.value < 0x300 ? 0 : scalar.properties.canonicalCombiningClass.rawValue
  }

  /// Puts each mark into the last starter before it, unless one of its own class stands between.
  private static func compose(_ scalars: inout [Unicode.Scalar]) {
    var output: [Unicode.Scalar] = []
    output.reserveCapacity(scalars.count)
    var starter: Int?
    var previousClass = 0
    for scalar in scalars {
      let ownClass = Int(combiningClass(scalar))
      if let place = starter, place == output.count - 1 || previousClass < ownClass,
        let composed = composition(output[place], scalar)
      {
        output[place] = composed
        continue
      }
      if ownClass == 0 { starter = output.count }
      previousClass = ownClass
      output.append(scalar)
    }
    scalars = output
  }

  private static func composition(
    _ first: Unicode.Scalar, _ second: Unicode.Scalar
  ) -> Unicode.Scalar? {
    // Nothing below U+0300 is the second half of a composition.
    guard second.value >= 0x300 else { return nil }
    if let syllable = HangulSyllable.composing(first, second) { return syllable }
    return compositions[PairTable.key(first.value, second.value)].flatMap {
      Unicode.Scalar(UInt32(truncatingIfNeeded: $0))
    }
  }

  /// All pairs of characters that compose; made once, in milliseconds.
  private static let compositions: PairTable = {
    var table = PairTable(capacity: 1_100)
    // Composed characters stand only in these blocks.
    for value in Array(0xC0...0x30FF as ClosedRange<UInt32>) + Array(0x10000...0x16FFF) {
      guard let scalar = Unicode.Scalar(value), !scalar.properties.isFullCompositionExclusion
      else { continue }
      let parts = decomposition(scalar, isCompatible: false)
      guard parts.count > 1, let last = parts.last else { continue }
      let rest = String(String.UnicodeScalarView(parts.dropLast()))
        .precomposedStringWithCanonicalMapping.unicodeScalars
      guard rest.count == 1, let first = rest.first else { continue }
      table[PairTable.key(first.value, last.value)] = UInt64(value)
    }
    return table
  }()
}

/// A Korean syllable, whose parts follow from its number.
///
/// - SeeAlso: The Unicode Standard, §3.12.
private struct HangulSyllable {
  private static let base: UInt32 = 0xAC00
  private static let (leads, vowels, tails): (UInt32, UInt32, UInt32) = (0x1100, 0x1161, 0x11A7)
  private let index: UInt32

  init?(_ scalar: Unicode.Scalar) {
    guard Self.base..<Self.base + 11_172 ~= scalar.value else { return nil }
    index = scalar.value - Self.base
  }

  var decomposed: [Unicode.Scalar] {
    let parts = [Self.leads + index / 588, Self.vowels + index % 588 / 28]
    let tail = index % 28 == 0 ? [] : [Self.tails + index % 28]
    return (parts + tail).compactMap { Unicode.Scalar($0) }
  }

  /// The syllable of a lead and a vowel, or of a syllable without a tail and a tail.
  static func composing(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
    if leads..<leads + 19 ~= first.value, vowels..<vowels + 21 ~= second.value {
      let index = ((first.value - leads) * 21 + (second.value - vowels)) * 28
      return Unicode.Scalar(base + index)
    }
    if let syllable = HangulSyllable(first), syllable.index % 28 == 0,
      tails + 1..<tails + 28 ~= second.value
    {
      return Unicode.Scalar(first.value + second.value - tails)
    }
    return nil
  }
}
