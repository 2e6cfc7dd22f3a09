import Foundation
import MoECore
import MoEModels
import MoEQuantization
import SystemPackage

/// Language models whose weights are packed while they are read.
enum PackedComparisons {
  /// A way to pack the model of 1.32 B weights.
  struct Form {
    var name: String
    /// Bits by kind of module, as `--quantize` takes them.
    var bits: String
    /// The peer's file.
    var peer: String
  }

  /// Uniform widths for comparisons with peers; routers stay as they are.
  static let forms =
    [8, 6, 5, 4, 3, 2].map { bits in
      Form(
        name: "\(bits) bits", bits: "\(bits),attention=\(bits),head=\(bits),embedding=\(bits)",
        peer: bits == 8 ? "q8_0" : "q4_0")
    } + [
      Form(
        name: "experts 3 bits, others 4", bits: "3,attention=4,head=4,embedding=4", peer: "q4_0"),
      Form(
        name: "experts 2 bits, others 4", bits: "2,attention=4,head=4,embedding=4", peer: "q4_0"),
      // Half of the experts have 6 bits and half 2: as many bytes as with 4.
      Form(
        name: "experts 2 and 6 bits, others 4", bits: "mixed", peer: "q4_0"),
    ]

  /// Writes the packed model beside the dense one, unless it is there.
  static func packed(_ form: Form, _ path: FilePath) throws -> FilePath {
    let name = form.bits.map { $0.isLetter || $0.isNumber ? "\($0)" : "-" }.joined()
    let folder = path.removingLastComponent().appending(
      "\(path.lastComponent?.string ?? "")-\(name)")
    guard !FileManager.default.fileExists(atPath: folder.string) else { return folder }
    let stored = try StoredModel(path)
    let plan = try map(form, folder).plan(for: stored.linearModules())
    try ModelQuantizer(stored, plan, RoundToNearest(), named: "rtn").write(to: folder)
    return folder
  }

  private static func map(_ form: Form, _ folder: FilePath) throws -> BitMap {
    guard form.bits == "mixed" else { return try BitMap(parsing: form.bits) }
    let file = FilePath(folder.string + ".json")
    let text = """
      {"default": 2, "attention": 4, "head": 4, "embedding": 4,
       "rules": [{"match": ".*experts[.][0-9]*[02468][.]", "bits": 6}]}
      """
    try AtomicFile.write(text, to: file)
    return try BitMap(file)
  }

  /// Comparisons with a peer that reads the same model from files of its own.
  static func all(_ form: Form, path: FilePath) throws -> [Comparison] {
    let model = try MoEDecoder.open(try packed(form, path))
    return [
      Comparison(
        title: "packed: prompt of 512 tokens, \(form.name)", peerName: "prefill:\(form.peer)",
        iterations: 3, run: { DecoderComparisons.prefill(model, iterations: $0) }),
      Comparison(
        title: "packed: one more token, \(form.name)", peerName: "decode:\(form.peer)",
        iterations: 32, run: { DecoderComparisons.decode(model, iterations: $0) }),
    ]
  }
}
