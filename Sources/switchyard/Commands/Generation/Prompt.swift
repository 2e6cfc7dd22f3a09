import Foundation
import MoECore
import MoEData
import SystemPackage

/// A text to be continued, of a file with many.
struct Prompt {
  /// Its own name, or the number of its line.
  var id: String
  var text: String
  /// Seed of its random numbers, where it has one of its own.
  var seed: UInt64?
  /// Line of the file, from 1.
  var line: Int
}

/// A file with prompts: one on a line, or one JSON object on a line for names that end in `.jsonl`.
struct PromptFile {
  let path: FilePath
  private(set) var prompts: [Prompt] = []
  /// Lines without a prompt.
  private(set) var emptyLines: [Int] = []

  /// Reads a file, or standard input.
  ///
  /// - Throws: `DataError` that names the line, or a `FileError`.
  init(_ path: FilePath) throws {
    self.path = path
    let isJSON = path.extension?.lowercased() == "jsonl"
    var lines = try readText(path).utf8.split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if lines.last?.isEmpty ?? false { lines.removeLast() }
    var places: [String: Int] = [:]
    for (place, bytes) in lines.enumerated() {
      let line = place + 1
      let text = String(
        decoding: bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes, as: UTF8.self)
      let isBlank = text.allSatisfy(\.isWhitespace)
      var prompt = Prompt(id: "\(line)", text: text, seed: nil, line: line)
      if isJSON, !isBlank { prompt = try Self.prompt(ofJSON: text, line, path) }
      guard !isBlank, !prompt.text.isEmpty else {
        emptyLines.append(line)
        continue
      }
      if let earlier = places.updateValue(line, forKey: prompt.id) {
        throw DataError.invalidLine(
          path, line: line,
          problem:
            "has the id '\(prompt.id)', as line \(earlier) has; give every prompt its own (without one, it is the number of the line)"
        )
      }
      prompts.append(prompt)
    }
  }

  private struct JSONPrompt: Decodable {
    var id: String?
    var prompt: String
    var seed: UInt64?

    enum CodingKeys: CodingKey { case id, prompt, seed }

    init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      prompt = try values.decode(String.self, forKey: .prompt)
      do {
        seed = try values.decodeIfPresent(UInt64.self, forKey: .seed)
      } catch {
        // Numbers that do not fit have an error that does not say where they are.
        throw DecodingError.typeMismatch(
          UInt64.self, .init(codingPath: [CodingKeys.seed], debugDescription: ""))
      }
      // Numbers are names, too.
      id =
        try (try? values.decodeIfPresent(Int.self, forKey: .id)).flatMap { $0 }.map(String.init)
        ?? values.decodeIfPresent(String.self, forKey: .id)
    }
  }

  private static func prompt(ofJSON text: String, _ line: Int, _ path: FilePath) throws -> Prompt {
    func refused(_ problem: String) -> DataError {
      .invalidLine(path, line: line, problem: problem)
    }
    do {
      let found = try JSONDecoder().decode(JSONPrompt.self, from: Data(text.utf8))
      return Prompt(id: found.id ?? "\(line)", text: found.prompt, seed: found.seed, line: line)
    } catch DecodingError.keyNotFound(let key, _) {
      throw refused(
        "has no '\(key.stringValue)'; each line is an object like {\"prompt\": \"Once\"}")
    } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context)
    {
      let key = context.codingPath.last.map { "a '\($0.stringValue)'" } ?? "a value"
      throw refused(
        "has \(key) of another type; prompt and id are texts, seed is a whole number from 0 on")
    } catch {
      throw refused("is not a JSON object")
    }
  }
}
