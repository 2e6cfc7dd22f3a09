import Foundation

/// One of Unicode's four normalization forms.
///
/// Foundation provides the decompositions of single characters; ordering and composition are done
/// here, because Foundation's take quadratic time on long runs of combining marks and, on Linux,
/// compose some characters above U+FFFF with marks that belong to others.
///
/// - SeeAlso: Unicode Standard Annex #15, *Unicode Normalization Forms*.
struct UnicodeForm: Sendable {
  /// Whether characters are composed: NFC and NFKC.
  let composes: Bool
  /// Whether compatibility decompositions are used: NFKC and NFKD.
  let isCompatible: Bool

  /// Normalizes `text`, which must be valid UTF-8.
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

  /// Whether the lead bytes prove that the text is normalized: NFC changes nothing below U+0300,
  /// and no form changes ASCII.
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

  /// Sorts each run of combining marks by class; equal ones keep their order.
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

  /// Composes each mark with the last starter before it, unless a mark of the same class is in
  /// between.
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

  /// All pairs of characters that compose; built once, in milliseconds.
  private static let compositions: PairTable = {
    var table = PairTable(capacity: 1_100)
    // Composed characters occur only in these blocks.
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

/// A Hangul syllable, whose parts follow from its code point.
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

  /// Composes a leading consonant and a vowel, or a syllable without a tail and a tail.
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
