import Foundation
import MoECore

/// The header of a trace: the JSON in its metadata entry `switchyard`.
public struct RoutingTraceHeader: Hashable, Sendable {
  /// The version of the format that this program writes.
  public static let currentVersion = 1
  /// The id in slots that a token does not use.
  public static let unusedSlot: UInt16 = .max
  /// The most layers, experts and slots of a trace.
  static let (layerLimit, expertLimit, slotLimit) = (4096, 65_535, 4096)

  /// The model's name, if known.
  public var model: String?
  /// Indices of the sparse layers in the model, ascending.
  public var layers: [Int]
  /// The number of experts per layer (the largest, if layers differ).
  public var experts: Int
  /// The number of slots per token and layer.
  public var k: Int
  /// A description of the trace's origin.
  public var source: String?
  /// Names of the texts that sequences came from, in the order of `sequence_sources`.
  public var sources: [String]

  /// Describes a trace.
  public init(
    model: String? = nil, layers: [Int], experts: Int, k: Int, source: String? = nil,
    sources: [String] = []
  ) {
    (self.model, self.layers, self.experts, self.k) = (model, layers, experts, k)
    (self.source, self.sources) = (source, sources)
  }

  /// What is wrong with the header, or `nil`.
  var problem: String? {
    guard 1...Self.layerLimit ~= layers.count else {
      return "'layers' lists \(layers.count) layers; 1…\(Self.layerLimit) are possible"
    }
    guard (layers.first ?? 0) >= 0, zip(layers, layers.dropFirst()).allSatisfy({ $0 < $1 }) else {
      return "'layers' must be distinct, ascending and at least 0"
    }
    guard 1...Self.expertLimit ~= experts else {
      return "'experts' is \(experts); it must be in 1…\(Self.expertLimit)"
    }
    guard 1...min(experts, Self.slotLimit) ~= k else {
      return "'k' is \(k); it must be in 1…\(min(experts, Self.slotLimit)), the number of experts"
    }
    return nil
  }

  /// The number of choices per token: layers times slots.
  var choicesPerToken: Int { layers.count * k }
}

extension RoutingTraceHeader: Codable {
  private enum CodingKeys: String, CodingKey {
    case version, model, layers, experts, k, source, sources
  }

  /// Reads the JSON object.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let version = try values.decode(Int.self, forKey: .version)
    guard version == Self.currentVersion else {
      throw DecodingError.dataCorruptedError(
        forKey: .version, in: values,
        debugDescription:
          "version \(version) is unknown; this program reads version \(Self.currentVersion)")
    }
    self.init(
      model: try values.decodeIfPresent(String.self, forKey: .model),
      layers: try values.decode([Int].self, forKey: .layers),
      experts: try values.decode(Int.self, forKey: .experts),
      k: try values.decode(Int.self, forKey: .k),
      source: try values.decodeIfPresent(String.self, forKey: .source),
      sources: try values.decodeIfPresent([String].self, forKey: .sources) ?? [])
    if let problem {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: problem))
    }
  }

  /// Writes the JSON object.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(Self.currentVersion, forKey: .version)
    try values.encodeIfPresent(model, forKey: .model)
    try values.encode(layers, forKey: .layers)
    try values.encode(experts, forKey: .experts)
    try values.encode(k, forKey: .k)
    try values.encodeIfPresent(source, forKey: .source)
    if !sources.isEmpty { try values.encode(sources, forKey: .sources) }
  }

  /// The JSON text, keys in order.
  var json: String {
    get throws { try JSONText.line(self) }
  }

  /// Reads the JSON text.
  ///
  /// - Throws: ``TracingError/invalidFile(_:_:)``'s text as a ``Refusal``.
  init(json: String) throws {
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(json.utf8))
    } catch let DecodingError.dataCorrupted(context) {
      throw Refusal(context.debugDescription)
    } catch let DecodingError.keyNotFound(key, _) {
      throw Refusal("'\(key.stringValue)' is missing")
    } catch let error as DecodingError {
      throw Refusal(error.problem)
    }
  }
}

/// A reason to which a caller adds the file's name.
struct Refusal: Error {
  var text: String
  init(_ text: String) { self.text = text }
}
