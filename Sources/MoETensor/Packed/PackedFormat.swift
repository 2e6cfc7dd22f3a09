/// How a packed weight stores its numbers: a code of a few bits each, and a scale for every group of neighbours.
///
/// A group is a run of inputs of one output. Widths and groups are those of MLX; `Documentation/quantization.md` has the
/// layout, bit by bit.
public struct PackedFormat: Hashable, Sendable {
  /// What a code stands for.
  public enum Codes: String, Hashable, Codable, Sendable, CaseIterable {
    /// `code · scale + bias`.
    case affine
    /// `(code − 2^(bits − 1)) · scale`.
    case symmetric
    /// A 4-bit floating-point number (E2M1) times a power of two, the MXFP4 of the Open Compute Project.
    case mxfp4
    /// One of 16 values that are denser near zero, times the scale: IQ4_NL of GGUF.
    case iq4nl
  }

  /// What a code stands for.
  public let codes: Codes
  /// Bits of a code.
  public let bits: Int
  /// Inputs that share a scale; the last group of a row may have fewer.
  public let group: Int

  /// The widths that there are.
  public static let widths = [2, 3, 4, 5, 6, 8]
  /// The groups that there are.
  public static let groups = [32, 64, 128]

  /// Describes a format; `nil` if there is no such format.
  ///
  /// - Parameters:
  ///   - codes: What codes stand for; the kinds with a table of values have 4 bits.
  ///   - bits: One of ``widths``.
  ///   - group: One of ``groups``; 32 for MXFP4.
  public init?(_ codes: Codes, bits: Int, group: Int) {
    guard Self.widths.contains(bits), Self.groups.contains(group) else { return nil }
    switch codes {
    case .affine, .symmetric: break
    case .mxfp4: guard bits == 4, group == 32 else { return nil }
    case .iq4nl: guard bits == 4 else { return nil }
    }
    (self.codes, self.bits, self.group) = (codes, bits, group)
  }

  /// Bytes of a row's codes: whole words of 32 bits.
  public func rowBytes(inputs: Int) -> Int { (inputs * bits + 31) / 32 * 4 }

  /// Groups of a row, the last of which may be shorter.
  public func rowGroups(inputs: Int) -> Int { (inputs + group - 1) / group }

  /// Whether each group has a bias, too.
  public var hasBiases: Bool { codes == .affine }

  /// The group to use for rows of some length: the largest of the asked one, 64 and 32 that divides it, else the asked
  /// one, with a short last group.
  public static func group(_ asked: Int, for inputs: Int) -> Int {
    [asked, 64, 32].first { $0 <= asked && inputs.isMultiple(of: $0) } ?? asked
  }
}

extension PackedFormat: CustomStringConvertible {
  /// For example `4 bits, groups of 64`.
  public var description: String {
    switch codes {
    case .affine: "\(bits) bits, groups of \(group)"
    case .symmetric: "\(bits) bits symmetric, groups of \(group)"
    case .mxfp4: "MXFP4"
    case .iq4nl: "IQ4_NL, groups of \(group)"
    }
  }
}

/// To how many bits the numbers that few packed weights meet are rounded, in text generation.
///
/// Prompts do not round numbers this way: there, weights become bf16.
public enum ActivationPrecision: String, Hashable, Codable, Sendable, CaseIterable {
  /// 16 bits, which is as exact as sums in f32, for weights of 4 bits and more; 8 bits for 2 and 3, whose own error is
  /// many times larger.
  case automatic = "auto"
  /// 16 bits for all weights.
  case exact
  /// 8 bits for all weights.
  case int8

  /// Whether numbers have 16 bits for weights of a width.
  func isFine(bits: Int) -> Bool {
    switch self {
    case .automatic: bits >= 4
    case .exact: true
    case .int8: false
    }
  }
}
