import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@testable import MoETokenizers

enum LlamaCppVocabularies {
  static let folder = SharedData.path("tokenizers/llama_cpp_vocab")
  static let exist = (try? folder.appending("ggml-vocab-gpt-2.gguf").stat()) != nil
}

/// llama.cpp's vocabularies with its own tokens for difficult texts.
@Suite(
  "Vocabularies of llama.cpp", .enabled(if: LlamaCppVocabularies.exist, RealTokenizers.missing))
struct LlamaCppVocabularyTests {
  @Test("give its tokens", arguments: ["gpt-2", "llama-spm"])
  func golden(name: String) throws {
    let path = LlamaCppVocabularies.folder.appending("ggml-vocab-\(name).gguf")
    func text(_ end: String) throws -> String {
      try String(contentsOfFile: path.string + end, encoding: .utf8)
    }
    let tokenizer = try Tokenizer(path)
    let inputs = try text(".inp").components(separatedBy: "\n__ggml_vocab_test__\n")
    let outputs = try text(".out").components(separatedBy: "\n")
    #expect(inputs.count >= 40)
    for (input, output) in zip(inputs, outputs) {
      let ids = tokenizer.encode(input, addingSpecialTokens: false)
      #expect(ids == output.split(separator: " ").compactMap { Int($0) }, "\(input)")
    }
  }
}
