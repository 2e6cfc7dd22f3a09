import MoETokenizers
import Foundation
import MoECore
import MoEModels
import SystemPackage

/// A task without files that shows what experts of different kinds are good for: half of the texts
/// depend on which things are mentioned, half on the order in which things happen.
///
/// A static text contains three keywords of one of four topics among filler; its class is the
/// topic. A temporal text contains the same four events among filler, each once; its class is the
/// event that comes first, about which a bag of words says nothing. Classes and kinds are equally
/// frequent.
public struct SyntheticTexts: Hashable, Sendable {
  /// Names of the classes.
  public static let labels = ["A", "B", "C", "D"]
  /// Names of the kinds.
  public static let kinds = ["static", "temporal"]

  private static let topics = [
    ["rain", "cloud", "storm", "wind", "snow"], ["bread", "soup", "salt", "apple", "cheese"],
    ["violin", "drum", "song", "choir", "flute"], ["train", "harbor", "ticket", "road", "bridge"],
  ]
  private static let events = ["knock", "whistle", "bark", "ring"]
  private static let filler = [
    "the", "a", "and", "then", "there", "was", "of", "in", "with", "some", "old", "new", "near",
    "far", "house", "garden", "morning", "evening", "people", "again",
  ]

  /// The meaning of each class, in words: the topic of static texts, and the first event of
  /// temporal ones.
  public static var meanings: [String] {
    zip(topics, events).map { "\($0.joined(separator: ", ")); or a \($1) before other events" }
  }

  /// Generates texts of 10 to 16 words.
  ///
  /// - Parameters:
  ///   - count: Number of texts.
  ///   - seed: Determines all of them.
  /// - Returns: The texts, with their kinds.
  public static func make(_ count: Int, seed: UInt64) -> LabelledTexts {
    var generator = SeededGenerator(seed: seed)
    let texts = (0..<count).map { number in
      // Each group of eight texts has all classes of both kinds.
      text(label: number % 4, kind: number / 4 % 2, line: number + 1, &generator)
    }
    var result = LabelledTexts(path: "synthetic", texts: texts, target: .classes(labels))
    result.kinds = kinds
    return result
  }

  private static func text(
    label: Int, kind: Int, line: Int, _ generator: inout SeededGenerator
  ) -> LabelledText {
    let length = 10 + below(7, &generator)
    var marked: [String]
    if kind == 0 {
      marked = (0..<3).map { _ in topics[label][below(topics[label].count, &generator)] }
    } else {
      var others = events
      others.remove(at: label)
      marked = [events[label]] + shuffled(others, &generator)
    }
    // Positions in ascending order keep the order of the marked words.
    let places = Set(shuffled(Array(0..<length), &generator).prefix(marked.count))
    let words = (0..<length).map { place in
      places.contains(place)
        ? marked.removeFirst() : filler[below(filler.count, &generator)]
    }
    var result = LabelledText(words.joined(separator: " "), label: label, line: line)
    result.kind = kind
    return result
  }

  private static func below(_ bound: Int, _ generator: inout SeededGenerator) -> Int {
    Int(generator.next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  private static func shuffled<Element>(
    _ items: [Element], _ generator: inout SeededGenerator
  ) -> [Element] {
    var items = items
    for place in stride(from: items.count - 1, to: 0, by: -1) {
      items.swapAt(place, below(place + 1, &generator))
    }
    return items
  }

  /// The contents of a `tokenizer.json` in which every word of these texts is a token.
  public static func tokenizerJSON() throws -> [UInt8] {
    let tokens = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"] + topics.flatMap(\.self) + events + filler
    var vocabulary: JSONObject = [:]
    for (id, token) in tokens.enumerated() { vocabulary[token] = .number(Double(id)) }
    func special(_ id: Int) -> JSONValue {
      .object([
        "id": .number(Double(id)), "content": .string(tokens[id]), "single_word": .bool(false),
        "lstrip": .bool(false), "rstrip": .bool(false), "normalized": .bool(false),
        "special": .bool(true),
      ])
    }
    func pair(_ id: Int) -> JSONValue {
      .array([.string(tokens[id]), .number(Double(id))])
    }
    let json = JSONValue.object([
      "version": .string("1.0"), "added_tokens": .array((0..<4).map(special)),
      "normalizer": .object([
        "type": .string("BertNormalizer"), "clean_text": .bool(true),
        "handle_chinese_chars": .bool(true), "strip_accents": .null, "lowercase": .bool(true),
      ]),
      "pre_tokenizer": .object(["type": .string("BertPreTokenizer")]),
      "post_processor": .object([
        "type": .string("BertProcessing"), "sep": pair(2), "cls": pair(1),
      ]),
      "decoder": .object([
        "type": .string("WordPiece"), "prefix": .string("##"), "cleanup": .bool(true),
      ]),
      "model": .object([
        "type": .string("WordPiece"), "unk_token": .string("[UNK]"),
        "continuing_subword_prefix": .string("##"), "max_input_chars_per_word": .number(100),
        "vocab": .object(vocabulary),
      ]),
    ])
    return Array(try json.json().utf8)
  }
}
