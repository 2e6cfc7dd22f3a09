import Foundation
import MoECore
import MoEEvaluation
import MoEModels
import MoEQuantization
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@Suite("The commands quantize and verify")
struct QuantizeCommandTests {
  private let small: SmallModel
  private var path: String { small.folder.path.string }

  init() throws { small = try SmallModel() }

  private func quantized(_ bits: String, _ more: String...) throws -> String {
    let out = small.folder.path.string + "-" + bits.filter { $0.isLetter || $0.isNumber }
    try? FileManager.default.removeItem(atPath: out)
    let run = try Program.run(["quantize", path, "--bits", bits, "--out", out] + more)
    #expect(run.exitCode == 0, "\(run.errors)")
    return out
  }

  @Test("write a folder that answers as the same model quantized while it is read")
  func sameAnswers() throws {
    let out = try quantized("attention=6,experts=3g32s,head=5")
    defer { try? FileManager.default.removeItem(atPath: out) }
    func text(_ arguments: [String]) throws -> String {
      let run = try Program.run(
        ["generate"] + arguments + [
          "--prompt", "The gate", "--temperature", "0", "--max-tokens", "24",
        ])
      #expect(run.exitCode == 0, "\(run.errors)")
      return run.output
    }
    #expect(
      try text([out]) == text([path, "--quantize", "attention=6,experts=3g32s,head=5"]))
    let info = try Program.run(["info", out])
    #expect(info.exitCode == 0 && info.output.contains("3 bits"), "\(info.output)")
    #expect(!info.output.contains("warning"), "\(info.output)")
    let again = try Program.run(["quantize", out, "--bits", "4", "--dry-run"])
    #expect(again.exitCode == 1 && again.errors.contains("quantized already"), "\(again.errors)")
    let full = try Program.run(["quantize", path, "--bits", "4", "--out", out])
    #expect(full.exitCode == 1 && full.errors.contains("exists"), "\(full.errors)")
  }

  @Test("keep experts contiguous and each on a page, in the size that was planned")
  func layout() throws {
    let out = try quantized("4g32")
    defer { try? FileManager.default.removeItem(atPath: out) }
    let file = try SafetensorsFile(.init(out).appending("model.safetensors"))
    for layer in 0..<2 {
      for expert in 0..<4 {
        let prefix = "model.layers.\(layer).mlp.experts.\(expert)."
        let ranges = file.header.entries.filter { $0.name.hasPrefix(prefix) }
          .map { file.fileRange(of: $0) }
        let start = ranges.map(\.lowerBound).min() ?? 1, end = ranges.map(\.upperBound).max() ?? 0
        #expect(start.isMultiple(of: 4096))
        #expect(ranges.reduce(0) { $0 + $1.count } == end - start)
      }
    }
    struct Plan: Decodable { var bytes: Int }
    let plan = try Program.run(["quantize", path, "--bits", "4g32", "--dry-run", "--json"])
    let planned = try JSONDecoder().decode(Plan.self, from: Data(plan.output.utf8)).bytes
    #expect(planned == file.header.entries.reduce(0) { $0 + file.fileRange(of: $1).count })
  }

  @Test("divide no expert between files, and begin each on a page in every file")
  func shards() throws {
    let stored = try StoredModel(small.folder.path)
    let plan = try BitMap(parsing: "4g32").plan(for: stored.linearModules())
    let out = FilePath(path + "-shards")
    defer { try? FileManager.default.removeItem(atPath: out.string) }
    try ModelQuantizer(stored, plan, RoundToNearest(), named: "rtn")
      .write(to: out, shardLimit: ByteCount(5_000))
    let checkpoint = try SafetensorsCheckpoint(out)
    #expect(checkpoint.shards.count > 2)
    for shard in checkpoint.shards {
      let experts = Dictionary(
        grouping: shard.header.entries.filter { $0.name.contains("experts") }
      ) {
        $0.name.split(separator: ".").prefix(6).joined(separator: ".")
      }
      for (expert, entries) in experts {
        #expect(entries.count == 9, "\(expert)")
        let start = entries.map { shard.fileRange(of: $0).lowerBound }.min() ?? 1
        #expect(start.isMultiple(of: 4096), "\(expert)")
      }
    }
    let whole = try StoredModel(small.folder.path).decoder(
      as: WeightForm(dtype: .f32, packing: WeightPacking(plan.formats)))
    let logits = [whole, try MoEDecoder.open(out, dtype: .f32)].map {
      $0.read([SequencePart(tokens: [1, 2, 3], cache: $0.makeCache())], as: .prompt).logits
    }
    expectClose(logits[1], logits[0], .exact)
  }

  @Test("round as MLX does, with scales of a type, in every command that reads a language model")
  func commands() throws {
    let out = try quantized("4g32", "--rounding", "mlx", "--scales", "f32")
    defer { try? FileManager.default.removeItem(atPath: out) }
    let file = try SafetensorsFile(.init(out).appending("model.safetensors"))
    let name = "model.layers.0.mlp.experts.0.up_proj"
    let dense = try #require(
      small.model.parameters.first { $0.name == name + ".weight" }?.parameter.value)
    let format = try #require(PackedFormat(.affine, bits: 4, group: 32))
    let expected = try PackedWeight.rounded(dense, to: format, .mlx, scales: .f32)
    expectClose(try file.tensor(named: name + ".scales"), expected.scales, .exact)
    #expect(
      try file.tensor(named: name + ".weight").array(of: UInt32.self)
        == expected.codes.array(of: UInt32.self))

    let text = try small.folder.write(Array(SmallModel.text.utf8), to: "text.txt").string
    func perplexity(_ more: String...) throws -> String {
      let run = try Program.run(["perplexity", path, "--text", text, "--context", "32"] + more)
      #expect(run.exitCode == 0, "\(run.errors)")
      return run.output
    }
    #expect(try perplexity() != perplexity("--quantize", "2"))
    let trace = small.folder.file("t.safetensors").string
    let traced = try Program.run(
      ["trace", path, "--text", text, "--quantize", "3", "--out", trace])
    #expect(traced.exitCode == 0, "\(traced.errors)")
    // Refused before anything is packed.
    for arguments in [
      ["perplexity", path, "--text", text, "--context", "1000", "--quantize", "4"],
      [
        "trace", path, "--text", text, "--context", "1000", "--quantize", "4", "--out", trace + "2",
      ],
    ] {
      let run = try Program.run(arguments)
      #expect(run.exitCode == 1 && run.errors.contains("context"), "\(run.errors)")
      #expect(!run.errors.contains("note:"), "\(run.errors)")
    }
    let nothing = try Program.run(
      ["quantize", path, "--bits", "16,attention=16,embedding=16,head=16", "--dry-run"])
    #expect(
      nothing.exitCode == 1 && nothing.errors.contains("every weight as it is"), "\(nothing.errors)"
    )
    let symmetric = try Program.run(
      ["quantize", path, "--bits", "4s", "--rounding", "mlx", "--dry-run"])
    #expect(symmetric.exitCode == 64 && symmetric.errors.contains("mlx"), "\(symmetric.errors)")
  }

  @Test("refuse bits that mean nothing as wrong usage, and rules for modules that do not exist")
  func wrongBits() throws {
    for (bits, part) in [("7", "'7'"), ("experts=4,expert=3", "'expert'"), ("4g48", "4g48")] {
      for arguments in [
        ["quantize", path, "--bits", bits, "--dry-run"],
        ["generate", path, "--prompt", "a", "--quantize", bits],
      ] {
        let run = try Program.run(arguments)
        #expect(run.exitCode == 64 && run.errors.contains(part), "\(run.errors)")
      }
    }
    let file = try small.folder.write(
      Array(#"{"default": 4, "rules": [{"match": ".*experts[.]9[.].*", "bits": 8}]}"#.utf8),
      to: "map.json")
    let run = try Program.run(["quantize", path, "--bits", file.string, "--dry-run"])
    #expect(run.exitCode == 1 && run.errors.contains("experts[.]9"), "\(run.errors)")
  }

  @Test("name a weight that cannot be quantized, and leave nothing behind")
  func notFinite() throws {
    let name = "model.layers.1.mlp.experts.2.up_proj.weight"
    var tensors = Dictionary(
      uniqueKeysWithValues: small.model.parameters.map { ($0.name, $0.parameter.value) })
    tensors[name] = Tensor.full(.nan, [24, 16])
    try SafetensorsFile.write(tensors, to: small.folder.file("model.safetensors"))
    let out = path + "-broken"
    let run = try Program.run(["quantize", path, "--bits", "4", "--out", out])
    #expect(run.exitCode == 1 && run.errors.contains(name), "\(run.errors)")
    #expect(!FileManager.default.fileExists(atPath: out))
    let generate = try Program.run(["generate", path, "--quantize", "4", "--prompt", "a"])
    #expect(generate.exitCode == 1 && generate.errors.contains(name), "\(generate.errors)")
  }

  @Test("verify with a limit for each figure")
  func verify() throws {
    let text = try small.folder.write(Array(SmallModel.text.utf8), to: "text.txt").string
    func run(_ more: String...) throws -> Program.Run {
      try Program.run(
        ["verify", path] + more + ["--text", text, "--tokens", "100", "--generate", "8"])
    }
    let same = try run(path, "--bits", "--json")
    #expect(same.exitCode == 0, "\(same.errors)")
    struct Answer: Decodable {
      var report: VerificationReport
      var judgements: [VerificationLimits.Judgement]
      var passes: Bool
    }
    let answer = try JSONDecoder().decode(Answer.self, from: Data(same.output.utf8))
    #expect(answer.report.sameBits == true && answer.report.quantization.divergence.largest == 0)
    #expect(answer.report.quantization.greedyTokens == 8 && answer.report.kernel.isEmpty)
    let eight = try run("--quantize", "8", "--html", small.folder.file("page.html").string)
    #expect(eight.exitCode == 0, "\(eight.errors)")
    let page = String(
      decoding: try readBytes(small.folder.file("page.html")), as: UTF8.self)
    for word in ["all pass", "token by token", "with other texts", "text.txt", "limit"] {
      #expect(page.contains(word), "\(word)")
    }
    for (option, part) in [
      ("--max-kernel-error", "kernel:"), ("--max-runtime-divergence", "runtime:"),
      ("--max-divergence", "quantization:"),
    ] {
      let failed = try run("--quantize", "2", option, "1e-12")
      #expect(failed.exitCode == 1 && failed.errors.contains(part), "\(failed.errors)")
    }
    let bits = try run("--quantize", "4", "--bits")
    #expect(bits.exitCode == 1 && bits.errors.contains("bits:"), "\(bits.errors)")
    let replay = try run("--quantize", "2", "--routing", "replay", "--json")
    let replayed = try JSONDecoder().decode(Answer.self, from: Data(replay.output.utf8)).report
    #expect(replayed.quantization.routerOverlap == [1, 1])
    for (option, value, code, part) in [
      ("--max-divergence", "nan", 64, "a number of at least 0"),
      ("--max-prompt-error", "-1", 64, "at least 0"),
      ("--context", "65", 1, "2…64"), ("--generate", "33", 1, "0…32"),
    ] {
      let refused = try Program.run([
        "verify", path, "--quantize", "4", "--text", text, "\(option)=\(value)",
      ])
      #expect(
        refused.exitCode == code && refused.errors.contains(part), "\(option): \(refused.errors)")
    }
    #expect(try Program.run(["verify", path, "--text", text]).exitCode == 64)
  }
}
