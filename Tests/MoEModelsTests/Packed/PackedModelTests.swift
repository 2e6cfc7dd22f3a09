import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// Models whose layers have different widths, beside the same numbers in dense weights.
@Suite("Models with packed weights")
struct PackedModelTests {
  /// A model folder, and one with the numbers that its packed weights stand for.
  private struct Pair {
    let folder = try? TemporaryFolder()
    var packed: MoEDecoder
    var dense: MoEDecoder
  }

  /// Packs a fixture in a mixture of widths, and writes what the codes stand for as another model.
  private func pair(_ family: String, _ activations: ActivationPrecision) throws -> Pair {
    let path = Fixtures.path("decoders").appending(family)
    let stored = try StoredModel(path)
    var formats: [String: PackedFormat] = [:]
    for (place, module) in try stored.linearModules().enumerated() {
      let bits = PackedFormat.widths[place % 6]
      formats[module.name] = PackedFormat(
        place % 4 == 3 ? .symmetric : .affine, bits: bits, group: 32)
    }
    let packed = try stored.decoder(
      as: WeightForm(dtype: .f32, activations: activations, packing: WeightPacking(formats)))
    let dense = try stored.decoder(dtype: .f32)
    let weights = Dictionary(uniqueKeysWithValues: dense.parameters.map { ($0.name, $0.parameter) })
    for (name, format) in formats {
      let weight = try #require(weights[name + ".weight"])
      let rounded = try PackedWeight.rounded(weight.value, to: format)
      weight.assign(rounded.dequantized())
    }
    return Pair(packed: packed, dense: dense)
  }

  /// Scores of the positions of a text, read in one piece or token by token.
  private func scores(_ model: MoEDecoder, _ tokens: [Int], _ arithmetic: Arithmetic) -> Tensor {
    let cache = model.makeCache()
    guard arithmetic == .decode else {
      return model.read(
        [SequencePart(tokens: tokens, cache: cache)], as: .prompt, scoring: .all
      ).logits
    }
    return Tensor.concatenated(
      tokens.map { model.read([SequencePart(tokens: [$0], cache: cache)], as: .decode).logits },
      axis: 0)
  }

  @Test(
    "answer as dense weights with the same numbers, read as a prompt and token by token",
    arguments: ["olmoe", "mixtral", "qwen2_moe", "deepseek"])
  func sameNumbers(family: String) throws {
    let pair = try pair(family, .exact)
    let tokens = (0..<20).map { $0 * 37 % pair.dense.configuration.vocabularySize }
    for arithmetic in Arithmetic.allCases {
      let found = scores(pair.packed, tokens, arithmetic)
      let expected = scores(pair.dense, tokens, arithmetic)
      let difference = (found - expected).abs().array(of: Float.self).max() ?? .nan
      let size = expected.abs().array(of: Float.self).max() ?? 1
      // A prompt rounds weights and rows to bf16 where the processor multiplies it.
      #expect(
        difference / size < (arithmetic == .decode ? 1e-3 : 0.1), "\(family), \(arithmetic)")
    }
  }

  @Test("are near with numbers rounded to 8 bits")
  func coarse() throws {
    let pair = try pair("olmoe", .int8)
    let tokens = (0..<12).map { $0 * 31 % pair.dense.configuration.vocabularySize }
    let found = scores(pair.packed, tokens, .decode), expected = scores(pair.dense, tokens, .decode)
    let difference = (found - expected).abs().array(of: Float.self).max() ?? .nan
    let size = expected.abs().array(of: Float.self).max() ?? 1
    #expect(difference / size < 0.1 && difference > 0)
  }

  @Test("compute in every type", arguments: [DType.f64, .f32, .bf16, .f16])
  func types(dtype: DType) throws {
    let stored = try StoredModel(Fixtures.path("decoders").appending("olmoe"))
    let format = try #require(PackedFormat(.affine, bits: 8, group: 32))
    let formats = Dictionary(
      uniqueKeysWithValues: try stored.linearModules().map { ($0.name, format) })
    func logits(_ dtype: DType) throws -> Tensor {
      let model = try stored.decoder(
        as: WeightForm(dtype: dtype, packing: WeightPacking(formats)))
      return scores(model, [1, 2, 3, 4], .decode).cast(to: .f64)
    }
    let expected = try logits(.f32)
    let difference = (try logits(dtype) - expected).abs().array(of: Double.self).max()
    #expect(difference ?? .nan < 0.2 * (expected.abs().array(of: Double.self).max() ?? 0))
  }
}
