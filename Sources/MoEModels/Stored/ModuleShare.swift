import MoECore

/// What the modules of one kind and type take of a model, and of what is read for a token.
public struct ModuleShare: Hashable, Codable, Sendable {
  /// What the modules do.
  public var kind: ModuleKind
  /// The type of their numbers, or their width and group.
  public var type: String
  /// Number of modules.
  public var modules: Int
  /// Number of weights.
  public var weights: Int
  /// Bytes in the file, scales and biases of groups included.
  public var bytes: Int
  /// Bytes in the file that one token uses, on average.
  public var bytesPerToken: Double
  /// Bits per weight, scales and biases of groups included.
  public var bitsPerWeight: Double
}

extension ModuleShare {
  /// Collects weights by kind and type.
  static func all(
    _ weights: [StoredModel.WeightHeader], _ c: DecoderConfiguration, names: WeightNames
  ) -> [ModuleShare] {
    var found: [ModuleShare] = []
    for weight in weights {
      let kind = ModuleKind(of: weight.name, names: names)
      let share = share(of: kind, c) * Double(weight.bytes)
      if let place = found.firstIndex(where: { $0.kind == kind && $0.type == weight.format }) {
        found[place].modules += 1
        found[place].weights += weight.count
        found[place].bytes += weight.bytes
        found[place].bytesPerToken += share
      } else {
        found.append(
          ModuleShare(
            kind: kind, type: weight.format, modules: 1, weights: weight.count,
            bytes: weight.bytes, bytesPerToken: share, bitsPerWeight: 0))
      }
    }
    for place in found.indices {
      found[place].bitsPerWeight =
        8 * Double(found[place].bytes) / Double(max(1, found[place].weights))
    }
    let order = Dictionary(uniqueKeysWithValues: ModuleKind.allCases.enumerated().map { ($1, $0) })
    return found.sorted { (order[$0.kind] ?? 0, $0.type) < (order[$1.kind] ?? 0, $1.type) }
  }

  /// The part of a module that one token reads.
  private static func share(of kind: ModuleKind, _ c: DecoderConfiguration) -> Double {
    switch kind {
    case .embedding: c.tiesEmbeddings ? 1 : 1 / Double(c.vocabularySize)
    case .experts: c.experts > 0 ? c.expertsPerToken / Double(c.experts) : 1
    default: 1
    }
  }

  /// The shares as text, one line each, and their sum.
  static func text(_ shares: [ModuleShare]) -> [(name: String, value: String)] {
    func line(_ share: ModuleShare) -> String {
      "\(share.type): \(NumberText.counted(share.modules, "module")), \(NumberText.amount(share.weights)) weights, \(ByteCount(share.bytes)), \(NumberText.fixed(share.bitsPerWeight, 2)) bits each, \(ByteCount(Int(share.bytesPerToken))) used by a token"
    }
    let bytes = shares.reduce(0) { $0 + $1.bytes }, weights = shares.reduce(0) { $0 + $1.weights }
    let read = shares.reduce(0) { $0 + $1.bytesPerToken }
    let bits = NumberText.fixed(8 * Double(bytes) / Double(max(1, weights)), 2)
    return shares.map { ($0.kind.rawValue, line($0)) } + [
      ("all", "\(bits) bits per weight, \(ByteCount(Int(read))) used by a token")
    ]
  }
}
