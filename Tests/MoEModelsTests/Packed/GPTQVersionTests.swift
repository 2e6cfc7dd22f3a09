import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// Files that declare one version of GPTQ and hold the zeros of the other are common, and other programs that believe
/// the declaration are off by one scale in every weight.
///
/// - SeeAlso: [vllm#38966](https://github.com/vllm-project/vllm/issues/38966),
///   [GPTQModel#2350](https://github.com/ModelCloud/GPTQModel/issues/2350).
@Suite("Versions of GPTQ")
struct GPTQVersionTests {
  /// A copy of a fixture with 4-bit zeros that are all the same, and a declared version.
  private func open(
    _ name: String, zero: Int32, declared: String
  ) throws -> (model: MoEDecoder, notes: [String]) {
    var copy = try PackedCopy(name)
    copy.set("checkpoint_format", .string(declared))
    for (name, tensor) in copy.tensors where name.hasSuffix(".qzeros") {
      copy.tensors[name] = Tensor(
        [Int32](repeating: zero &* 0x1111_1111, count: tensor.count), shape: tensor.shape)
    }
    try copy.write()
    var notes: [String] = []
    let form = WeightForm(note: { notes.append($0) })
    return (try StoredModel(copy.folder.path).decoder(as: form), notes)
  }

  @Test(
    "are told apart by the zeros of symmetric weights, with a note where the file says otherwise",
    arguments: [(8, "gptq"), (8, "gptq_v2"), (7, "gptq"), (7, "gptq_v2")] as [(Int32, String)])
  func symmetric(zero: Int32, declared: String) throws {
    let (model, notes) = try open("gptq-declared-v1", zero: zero, declared: declared)
    let expected = try SafetensorsFile(
      Fixtures.path("packed/gptq-declared-v1/expected.safetensors"))
    for named in model.packedWeights {
      let values = try expected.tensor(named: String(named.name.dropLast(".weight".count)))
      expectClose(named.weight.dequantized(), values, .exact, named.name)
    }
    let isSecond = zero == 8
    #expect(notes.isEmpty == (isSecond == (declared == "gptq_v2")), "\(notes)")
    let count = "(\(model.packedWeights.count) modules)"
    #expect(notes.allSatisfy { $0.contains("'\(declared)'") && $0.contains(count) }, "\(notes)")
  }

  @Test("keep a zero of 0, which version 1 stores as the largest code")
  func zeroOfNothing() throws {
    let older = try open("gptq-v1-4", zero: 15, declared: "gptq").model
    let newer = try open("gptq-v1-4", zero: 0, declared: "gptq_v2").model
    #expect(older.packedWeights.count == newer.packedWeights.count)
    for (one, other) in zip(older.packedWeights, newer.packedWeights) {
      let values = one.weight.dequantized()
      expectClose(values, other.weight.dequantized(), .exact, one.name)
      #expect(values.array(of: Float.self).allSatisfy { $0 >= 0 }, "\(one.name)")
    }
  }

  @Test("do not limit weights of one sign: those on a grid come back exactly", arguments: [2, 4])
  func oneSign(bits: Int) throws {
    let format = try #require(PackedFormat(.affine, bits: bits, group: 32))
    let codes = (0..<8 * 64).map { Float($0 % (1 << bits)) }
    for sign in [Float(1), -1] {
      let weight = Tensor(codes.map { sign * (0.5 + 0.25 * $0) }, shape: [8, 64])
      let packed = try PackedWeight.rounded(weight, to: format)
      expectClose(packed.dequantized(), weight, .exact)
    }
  }
}
