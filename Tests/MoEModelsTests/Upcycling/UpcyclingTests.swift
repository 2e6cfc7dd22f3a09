import MoETokenizers
import Foundation
import MoECore
import MoEModels
import MoERouting
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@Suite("Upcycling")
struct UpcyclingTests {
  private let folder: TemporaryFolder
  private let dense = Fixtures.path("decoders").appending("llama")
  private let tokens = Tensor((0..<30).map { $0 * 11 % 96 }, shape: [2, 15])

  init() throws { folder = try TemporaryFolder() }

  private func upcycle(
    _ plan: UpcyclingPlan, _ name: String = "moe", from path: FilePath? = nil
  ) throws -> Upcycling.Report {
    try Upcycling.write(try StoredModel(path ?? dense), as: plan, to: folder.file(name))
  }

  private func plan(
    _ experts: Int, _ k: Int, _ change: (inout UpcyclingPlan) -> Void = { _ in }
  )
    -> UpcyclingPlan
  {
    var plan = UpcyclingPlan(experts: experts, k: k)
    change(&plan)
    return plan
  }

  @Test(
    "keeps the dense model's outputs",
    arguments: [
      (4, 2, 1, "all"), (8, 1, 1, "all"), (3, 3, 1, "every-2"), (8, 4, 2, "all"),
      (6, 3, 3, "0,2"), (16, 8, 4, "last-1"),
    ])
  func sameAnswers(experts: Int, k: Int, split: Int, layers: String) throws {
    let selection = try #require(LayerSelection(parsing: layers))
    let report = try upcycle(
      plan(experts, k) { ($0.split, $0.layers) = (split, selection) })
    #expect(report.samePredictions == report.comparedTokens && report.largestDifference < 1e-4)
    let model = try MoEDecoder.open(folder.file("moe"))
    #expect(model.configuration.family == (layers == "all" ? "mixtral" : "switchyard_moe"))
    #expect(model.configuration.sparseLayers == selection.places(of: 3))
    #expect(model.configuration.expertInner == 48 / split)
    expectClose(model(tokens).logits, try MoEDecoder.open(dense)(tokens).logits, .logits)
    // Nothing is left over or missing.
    let summary = try ModelSummary(folder.file("moe"))
    #expect(summary.warnings.filter { !$0.contains("tokenizer") }.isEmpty)
    #expect(summary.parameters == report.parameters && summary.bytes == report.bytes)
  }

  @Test("uses more than one group of experts")
  func routes() throws {
    _ = try upcycle(plan(8, 4) { $0.split = 2 })
    let output = try MoEDecoder.open(folder.file("moe"))(tokens)
    for layer in output.sparse {
      let load = layer.routing.load.tokens
      // Both slices of a copy have the same tokens, and copies differ.
      for copy in 0..<4 { #expect(load[2 * copy] == load[2 * copy + 1]) }
      #expect(Set(load).count > 1 && load.reduce(0, +) == 30 * 4)
    }
  }

  @Test("keeps the outputs of bf16 weights within rounding, and stores that type")
  func narrow() throws {
    let report = try upcycle(plan(12, 6) { ($0.split, $0.dtype) = (3, .bf16) })
    #expect(report.bytes == 2 * report.parameters)
    #expect(report.largestDifference < 0.05 * report.largestLogit)
    let exact = try upcycle(plan(4, 2) { ($0.split, $0.dtype) = (2, .bf16) }, "exact")
    #expect(exact.largestDifference < 1e-4)
  }

  @Test("draws the same values for the same seed, others for another, and noise per expert")
  func seeds() throws {
    func bytes(_ name: String, seed: UInt64, noise: Double) throws -> [UInt8] {
      _ = try upcycle(plan(4, 2) { ($0.seed, $0.noise) = (seed, noise) }, name)
      return try readBytes(folder.file(name).appending("model.safetensors"))
    }
    let one = try bytes("one", seed: 1, noise: 0.1)
    #expect(try bytes("same", seed: 1, noise: 0.1) == one)
    #expect(try bytes("other", seed: 2, noise: 0.1) != one)
    let file = try SafetensorsFile(folder.file("one").appending("model.safetensors"))
    let original = try SafetensorsFile(dense.appending("model.safetensors"))
      .tensor(named: "model.layers.1.mlp.up_proj.weight")
    var noises: [Tensor] = []
    for expert in 0..<4 {
      let name = "model.layers.1.block_sparse_moe.experts.\(expert).w3.weight"
      let noise = try file.tensor(named: name) - original
      let share = noise.norm().item(as: Float.self) / original.norm().item(as: Float.self)
      #expect(0.08...0.12 ~= share, "\(share)")
      noises.append(noise)
    }
    #expect((noises[0] - noises[1]).norm().item(as: Float.self) > 0)
  }

  @Test("works from GGUF files, with biases in attention and the tokenizer")
  func gguf() throws {
    let path = Fixtures.path("gguf").appending("llama.gguf")
    let report = try upcycle(plan(4, 2), from: path)
    #expect(report.family == "switchyard_moe" && report.sparseLayers == [0, 1])
    let (dense, model) = (try StoredModel(path).unpacked(), try MoEDecoder.open(folder.file("moe")))
    expectClose(model(tokens).logits, dense(tokens).logits, .logits)
    let text = "the table, 2026"
    #expect(try Tokenizer(folder.file("moe")).encode(text) == Tokenizer(path).encode(text))
    #expect(
      try folder.contents() == ["moe"]
        && FileManager.default.contentsOfDirectory(atPath: folder.file("moe").string).sorted()
          == ["config.json", "model.safetensors", "tokenizer.json", "upcycling.json"]
    )
  }

  @Test("can continue training, and slices of a copy diverge")
  func learns() throws {
    _ = try upcycle(plan(4, 2) { $0.split = 2 })
    let model = try MoEDecoder.open(folder.file("moe"))
    let weights = model.parameters.map(\.parameter)
    func loss() -> Tensor {
      let logits = model(tokens).logits.slice(axis: 1, 0..<14).reshaped([-1, 96])
      return logits.crossEntropy(targets: tokens.slice(axis: 1, 1..<15).reshaped([-1]))
    }
    let first = loss().item(as: Float.self)
    for _ in 0..<20 {
      let result = try valueAndGradients(of: loss, for: weights)
      for (weight, gradient) in zip(weights, result.gradients) {
        weight.assign(weight.value - gradient * 0.05)
      }
    }
    #expect(loss().item(as: Float.self) < 0.8 * first)
    let gate = try #require(
      model.parameters.first { $0.name == "model.layers.0.block_sparse_moe.gate.weight" })
    #expect((gate.parameter.value[0] - gate.parameter.value[1]).norm().item(as: Float.self) > 0)
  }

  @Test("writes shards")
  func shards() throws {
    _ = try upcycle(plan(4, 2) { $0.shardLimit = ByteCount(60_000) })
    #expect(try SafetensorsCheckpoint(folder.file("moe")).shards.count > 3)
    _ = try MoEDecoder.open(folder.file("moe"))
  }

  @Test("refuses plans that do not fit before anything is written")
  func refuses() throws {
    for (plan, hint) in [
      (plan(1, 1), "2…65536"), (plan(4, 5), "1…4"), (plan(4, 0), "1…4"),
      (plan(4, 2) { $0.split = 0 }, "at least 1"), (plan(4, 2) { $0.split = 5 }, "divisor"),
      (plan(5, 2) { $0.split = 2 }, "multiple of 2"),
      (plan(4, 3) { $0.split = 2 }, "multiple of 2"),
      (plan(4, 2) { $0.noise = -1 }, "0…10"), (plan(4, 2) { $0.noise = .nan }, "0…10"),
      (plan(4, 2) { $0.layers = .last(4) }, "3 layers"),
      (plan(4, 2) { $0.layers = .places([3...3]) }, "3 layers"),
      (plan(4, 2) { $0.layers = .every(4) }, "3 layers"),
    ] {
      let error = #expect(throws: UpcyclingError.self) { try upcycle(plan) }
      #expect("\(error, default: "")".contains(hint))
    }
    for family in ["llama-biased", "mixtral"] {
      #expect(throws: UpcyclingError.self) {
        try upcycle(plan(4, 2), from: Fixtures.path("decoders").appending(family))
      }
    }
    #expect(try folder.contents().isEmpty)
    _ = try folder.write([1], to: "moe")
    #expect(throws: FileError.alreadyExists(folder.file("moe"))) { try upcycle(plan(4, 2)) }
  }

  @Test("leaves nothing behind when a number does not fit the new type")
  func overflow() throws {
    let source = folder.file("dense")
    try FileManager.default.copyItem(atPath: dense.string, toPath: source.string)
    let weights = source.appending("model.safetensors")
    let file = try SafetensorsFile(weights)
    var tensors = Dictionary(
      uniqueKeysWithValues: try file.header.entries.map {
        ($0.name, try file.tensor(named: $0.name).copied())
      })
    tensors["model.norm.weight"] = Tensor.full(1e6, [32])
    try SafetensorsFile.write(tensors, to: weights)
    #expect(throws: TensorError.self) { try upcycle(plan(4, 2) { $0.dtype = .f16 }, from: source) }
    #expect(try folder.contents() == ["dense"])
  }

  @Test("parses selections of layers")
  func selections() {
    func places(_ text: String) -> [Int]? { LayerSelection(parsing: text)?.places(of: 10) }
    #expect(places("all") == Array(0..<10) && places("every-3") == [2, 5, 8])
    #expect(places("last-2") == [8, 9] && places("7,0,2-4,3") == [0, 2, 3, 4, 7])
    for text in [
      "", "every-0", "every-", "last--1", "4-2", "1,,2", "a", "-1", "1-2-3", "10", "last-11",
    ] {
      #expect(places(text) == nil, "\(text)")
    }
  }
}
