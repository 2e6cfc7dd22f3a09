import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// Quantized models of other programs, beside what those programs make of them.
@Suite("Quantized checkpoints of other programs")
struct PackedFormatTests {
  private static let folder = Fixtures.path("packed")

  @Test(
    "stand for the numbers that their own programs packed, exactly",
    arguments: [
      "awq", "compressed-3", "compressed-3-padded", "compressed-4", "compressed-4-zeros",
      "gptq-declared-v1", "gptq-ordered", "gptq-planar-5", "gptq-planar-7", "gptq-stream-6",
      "gptq-v1-3", "gptq-v1-4", "gptq-v2-2", "gptq-v2-8-row",
    ])
  func values(name: String) throws {
    let path = Self.folder.appending(name)
    let model = try StoredModel(path).decoder(as: WeightForm(activations: .exact))
    let expected = try SafetensorsFile(path.appending("expected.safetensors"))
    #expect(model.packedWeights.count == expected.header.entries.count)
    for named in model.packedWeights {
      let values = try expected.tensor(named: String(named.name.dropLast(".weight".count)))
      expectClose(named.weight.dequantized(), values, .exact, named.name)
      // Products agree with the numbers, whatever the order of inputs.
      let x = RandomSource(seed: 4).normal([3, values.size(1)])
      expectClose(named.weight.product(x, bias: nil, as: .decode), x.linear(values), .bf16)
    }
    let cache = model.makeCache()
    let logits = model.read([SequencePart(tokens: [1, 2, 3], cache: cache)], as: .prompt).logits
    #expect(logits.isFinite().array(of: Bool.self).allSatisfy { $0 })
    let summary = try ModelSummary(path)
    #expect(summary.warnings.allSatisfy { $0.hasPrefix("no tokenizer") }, "\(summary.warnings)")
  }

  @Test("of MLX round to the same codes, and back to the same numbers")
  func mlxRounding() throws {
    let file = try SafetensorsFile(Self.folder.appending("mlx-rounding.safetensors"))
    for type in ["f32", "bf16", "f16"] {
      let weight = try file.tensor(named: type)
      for bits in PackedFormat.widths {
        for group in PackedFormat.groups {
          let format = try #require(PackedFormat(.affine, bits: bits, group: group))
          let key = "\(type).\(bits).\(group)"
          let codes = try file.tensor(named: key + ".codes")
          let scales = try file.tensor(named: key + ".scales")
          let biases = try file.tensor(named: key + ".biases")
          let ours = try PackedWeight.rounded(weight, to: format, .mlx)
          #expect(ours.codes.array(of: UInt32.self) == codes.array(of: UInt32.self), "\(key)")
          #expect(
            ours.scales.cast(to: .f32).array(of: Float.self)
              == scales.cast(to: .f32).array(of: Float.self), "\(key)")
          #expect(
            ours.biases?.cast(to: .f32).array(of: Float.self)
              == biases.cast(to: .f32).array(of: Float.self), "\(key)")
          let stored = try PackedWeight(
            format, shape: [6, 128], codes: codes, scales: scales, biases: biases)
          let values = try file.tensor(named: key + ".values")
          expectClose(stored.dequantized(), values, .exact, key)
        }
      }
    }
    let format = try #require(PackedFormat(.mxfp4, bits: 4, group: 32))
    let packed = try PackedWeight(
      format, shape: [4, 64], codes: file.tensor(named: "mxfp4.codes"),
      scales: file.tensor(named: "mxfp4.scales"))
    expectClose(packed.dequantized(), try file.tensor(named: "mxfp4.values"), .exact)
  }

  private struct Expected: Decodable {
    struct Text: Decodable {
      var prompt: [Int]
      var tokens: [Int]
    }
    var texts: [Text]
    var logits: [[Float]]
  }

  @Test("of MLX generate the texts that mlx-lm generates")
  func mlxTexts() throws {
    let path = Self.folder.appending("mlx-olmoe")
    let data = try Data(contentsOf: URL(fileURLWithPath: path.appending("expected.json").string))
    let expected = try JSONDecoder().decode(Expected.self, from: data)
    let model = try StoredModel(path).decoder(as: WeightForm(activations: .exact))
    for (text, logits) in zip(expected.texts, expected.logits) {
      let cache = model.makeCache()
      var scores = Tensor.zeros([0])
      for token in text.prompt {
        scores = model.read([SequencePart(tokens: [token], cache: cache)], as: .decode).logits
      }
      let size = logits.map(\.magnitude).max() ?? 1
      let difference = zip(scores.array(of: Float.self), logits).map { ($0 - $1).magnitude }.max()
      #expect((difference ?? .nan) / size < 1e-3)
      var tokens: [Int] = []
      for _ in 0..<64 {
        tokens.append(scores.argmax(axis: 1).array(of: Int.self)[0])
        scores =
          model.read(
            [SequencePart(tokens: [tokens[tokens.count - 1]], cache: cache)], as: .decode
          ).logits
      }
      #expect(tokens == text.tokens)
    }
  }
}
