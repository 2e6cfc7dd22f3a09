import MoETokenizers
import Foundation
import MoECore
import MoEModels
import SystemPackage

/// Learning a vocabulary from English text and encoding it, compared with the `tokenizers` library.
enum TokenizerComparisons {
  /// Writes 10 MB of text by repeating the bundled text.
  static func makeText(_ source: FilePath, at path: FilePath) throws -> Int {
    let text = try Data(contentsOf: URL(fileURLWithPath: source.string))
    var repeated = Data()
    while repeated.count < 10_000_000 { repeated.append(text) }
    try repeated.write(to: URL(fileURLWithPath: path.string))
    return repeated.count
  }

  static func all(_ path: FilePath) throws -> [Comparison] {
    let trainer = try BPETrainer(vocabularySize: 4096)
    let tokenizer = try trainer.train(on: path).tokenizer()
    let text = try String(contentsOfFile: path.string, encoding: .utf8)
    let vocabulary = FilePath(path.string + ".json")
    try trainer.train(on: path).write(to: vocabulary)
    return [
      Comparison(
        title: "learning 4,096 tokens from 10 MB", peerName: "tokenizer_training", iterations: 1,
        run: { _ in
          let clock = ContinuousClock()
          let seconds = try clock.measure { _ = try trainer.train(on: path) }
          return Measurement(seconds: seconds / Duration.seconds(1))
        }, bar: .absolute(seconds: 30, bytes: 1_000_000_000)),
      Comparison(
        title: "encoding 10 MB, one thread", peerName: "tokenizer_encoding", iterations: 3,
        run: { timed(iterations: $0) { _ = tokenizer.encode(text) } },
        bar: .absolute(seconds: 2, bytes: 1_000_000_000)),
    ]
  }
}
