import MoECore
import SystemPackage

/// What a file of another system seems to be, so that messages name it before they judge it.
struct ForeignFile {
  /// What can be done with a file.
  enum Use {
    case importing, counts, plan, trace, none
  }

  /// The file's content: "a router trace of Megatron-Core".
  let content: String
  let use: Use

  /// A sentence for a message of a reader that the file is not for.
  var sentence: String {
    switch use {
    case .importing: "it seems to be \(content); import it as a trace"
    case .counts: "it seems to be \(content); it holds counts, which need no import: inspect it"
    case .plan: "it seems to be \(content), not a record of routing"
    case .trace: "it seems to be \(content), which needs no import"
    case .none: "it seems to be \(content), which this program cannot use"
    }
  }

  /// Recognises a file by its first bytes, and JSON by its keys; `nil` for content that nothing is known about.
  ///
  /// - Throws: `FileError`.
  init?(_ path: FilePath) throws {
    let start = try TextStart(path)
    if start.isNumPy {
      let shape = (try? NumPyFile(path).shape) ?? []
      self = .init(
        content: "an array of shape \(shape)", use: shape.count == 2 ? .counts : .importing)
    } else if start.isSafetensors {
      self =
        (try? RoutingTrace(path)) == nil
        ? .init(content: "a safetensors file without routing", use: .none)
        : .init(content: "a trace of this program", use: .trace)
    } else if start.isZip {
      self = .init(content: "a file of torch.save", use: .importing)
    } else if let known = Self.line(start) {
      self = known
    } else if let keys = start.record {
      self = .init(content: "JSON lines with the keys \(Self.names(keys))", use: .none)
    } else if start.isJSON {
      let bytes = try MappedFile(path).copied(upTo: FileLimit.json)
      guard let value = try? JSONValue(parsing: bytes) else { return nil }
      self = Self.json(value)
    } else if start.line.hasPrefix("layer_id,expert_id,count") {
      self = .init(content: "counts of SGLang's expert distribution recorder", use: .counts)
    } else if start.isTabbedNumbers {
      self = .init(
        content: "expert weights of ESFT, a file per layer", use: .importing)
    } else {
      return nil
    }
  }

  private init(content: String, use: Use) { (self.content, self.use) = (content, use) }

  /// A file of JSON lines of a known kind, by the first of them.
  private static func line(_ start: TextStart) -> ForeignFile? {
    if start.isLine(of: TextStart.megatronKeys) {
      return .init(content: "a router trace of Megatron-Core", use: .importing)
    }
    if start.isLine(of: TextStart.vllmKeys) {
      return .init(content: "routes of a vLLM logger, a token and layer per line", use: .importing)
    }
    return nil
  }

  private static func json(_ value: JSONValue) -> ForeignFile {
    if case .array(let items) = value, case .object? = items.first { return json(items[0]) }
    guard case .object(let object) = value else {
      return .init(content: "a JSON list", use: .none)
    }
    for (key, content, use) in known where object[key] != nil {
      return .init(content: content, use: use)
    }
    return .init(content: "a JSON object with the keys \(names(object))", use: .none)
  }

  /// JSON files by a key that only they have.
  private static let known: [(key: String, content: String, use: Use)] = [
    ("router_data", "a GPT-OSS record of a generated text, expert by expert", .importing),
    (
      "think_expert_analytics",
      "GPT-OSS averages of how often experts were chosen, without the choices", .none
    ),
    ("token_scores", "a summary of ESFT's expert scores", .counts),
    ("shared_experts", "ESFT's list of experts to train, without counts", .none),
    ("logical_count", "counts of SGLang's expert distribution recorder", .counts),
    ("phy2log", "an example of EPLB: loads and the plan for them", .counts),
    ("physical_to_logical_map", "a placement plan of SGLang", .plan),
    ("moe_layer_count", "a placement plan of vLLM-Ascend", .plan),
    ("slots", "a placement plan", .plan),
    (
      "choices",
      "a server's answer; the arrays of its routed experts can be imported as .npy files", .none
    ),
  ]

  private static func names(_ object: JSONObject) -> String {
    let keys = object.keys.prefix(6).map { "'\($0)'" }.joined(separator: ", ")
    return keys + (object.count > 6 ? ", …" : "")
  }
}

/// The beginning of a file, enough to recognise its format.
struct TextStart {
  /// The first line, or as much of it as was read.
  let line: String
  /// The first line as a JSON object, if lines follow it.
  let record: JSONObject?
  let isNumPy: Bool
  let isZip: Bool
  let isSafetensors: Bool
  /// Whether the name says that the file is one JSON document, and no lines say otherwise.
  private let isDocument: Bool

  /// Keys that tell a line of Megatron-Core's router trace.
  static let megatronKeys = ["top_indices"]
  /// Keys that tell a line of a vLLM logger.
  static let vllmKeys = ["topk_ids", "layers_logged"]

  private static let limit = 1 << 16
  /// The bytes with which some programs begin UTF-8; they are no part of the text.
  static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  /// Reads the first bytes of a file.
  ///
  /// - Throws: `FileError`.
  init(_ path: FilePath) throws {
    let file = try MappedFile(path)
    var bytes = file.copied(0..<min(file.count, Self.limit))
    if bytes.starts(with: TextStart.byteOrderMark) {
      bytes.removeFirst(TextStart.byteOrderMark.count)
    }
    isNumPy = bytes.starts(with: [0x93] + Array("NUMPY".utf8))
    isZip = bytes.starts(with: Array("PK".utf8))
    isSafetensors = Self.isSafetensors(bytes, of: file.count)
    let end = bytes.firstIndex(of: 0x0A)
    let first = Array(bytes[..<(end ?? bytes.count)])
    line = String(decoding: first, as: UTF8.self)
    let rest = end.map { bytes[($0 + 1)...] } ?? []
    let hasMore = rest.contains { !" \r\n\t".utf8.contains($0) }
    if hasMore, case .object(let object)? = try? JSONValue(parsing: first) {
      record = object
    } else {
      record = nil
    }
    isDocument = path.extension == "json" && record == nil
  }

  /// Whether the first line is a JSON object with one of some keys, whether or not lines follow it.
  ///
  /// A line that was read in part, or has numbers of Python that are not JSON, is judged by its text.
  func isLine(of keys: [String]) -> Bool {
    guard isJSON, !isDocument else { return false }
    if case .object(let object)? = try? JSONValue(parsing: Array(line.utf8)) {
      return keys.contains { object[$0] != nil }
    }
    return keys.contains { line.contains("\"\($0)\"") }
  }

  /// Whether bytes begin a safetensors file: the length of a JSON header that fits the file, and its first character.
  private static func isSafetensors(_ bytes: [UInt8], of count: Int) -> Bool {
    guard bytes.count > 8, bytes[8] == UInt8(ascii: "{") else { return false }
    let length = bytes[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return 2...UInt64(max(2, count - 8)) ~= length
  }

  /// Whether the first line is a record of routing.
  var isRouting: Bool { isLine(of: Self.megatronKeys + Self.vllmKeys) }

  /// Whether the text begins as a JSON document.
  var isJSON: Bool {
    let first = line.first { !$0.isWhitespace }
    return first == "{" || first == "["
  }

  /// Whether the first line is of numbers with tabs between them.
  var isTabbedNumbers: Bool {
    let fields = line.split(separator: "\t").prefix(2)
    return fields.count == 2 && fields.allSatisfy { Int($0) != nil }
  }
}
