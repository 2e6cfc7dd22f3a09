import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoEEvaluation

@Suite("Comparisons of two models")
struct VerificationTests {
  @Test("give divergences, agreements and losses by their definitions")
  func definitions() {
    let three = log(3.0)
    // Distributions of two tokens: 1/4 and 3/4 beside 1/2 and 1/2.
    let p = Tensor([0, three, 0, 0], shape: [2, 2])
    let q = Tensor([1, 1, 0, three], shape: [2, 2])
    let found = Divergences.between(p, q)
    let first = 0.25 * log(0.25 / 0.5) + 0.75 * log(0.75 / 0.5)
    let second = 0.5 * log(0.5 / 0.25) + 0.5 * log(0.5 / 0.75)
    #expect(abs(found[0] - first) < 1e-12 && abs(found[1] - second) < 1e-12)
    #expect(Divergences.between(p, p) == [0, 0])
    let scores = Tensor([0, three, 5, 0], shape: [2, 2])
    #expect(Divergences.agreement(p, scores) == 2)
    #expect(Divergences.agreement(q, scores) == 0)
    #expect(abs(Divergences.loss(scores, [0, 1]) + log(0.75)) < 1e-12)
    #expect(abs(Divergences.loss(scores, [1, 0]) + log(0.25)) < 1e-12)
  }

  @Test("name percentiles only where there are positions for them")
  func percentiles() {
    func sum(_ count: Int) -> VerificationReport.Divergence {
      .init((1...count).map(Double.init).shuffled())
    }
    #expect(sum(99).percentile99 == nil && sum(99).largest == 99 && sum(99).mean == 50)
    #expect(sum(100).percentile99 == 99 && sum(100).percentile999 == nil)
    #expect(sum(1_000).percentile99 == 990 && sum(1_000).percentile999 == 999)
    let none = VerificationReport.Divergence([])
    #expect(none.positions == 0 && none.mean == 0 && none.largest == 0)
  }

  private static let olmoe = Fixtures.path("decoders").appending("olmoe")
  private let tokens = (0..<60).map { $0 * 37 % 99 + 1 }

  private func packing(_ model: StoredModel, bits: Int) throws -> WeightPacking {
    let format = try #require(PackedFormat(.affine, bits: bits, group: 32))
    return WeightPacking(
      Dictionary(uniqueKeysWithValues: try model.linearModules().map { ($0.name, format) }))
  }

  private func verification(_ form: WeightForm) throws -> ModelVerification {
    let model = try StoredModel(Self.olmoe)
    let size = model.configuration.vocabularySize
    var verification = ModelVerification(
      model, model, as: form, tokens: tokens.map { $0 % size })
    verification.context = 20
    (verification.decodedTokens, verification.generatedTokens) = (12, 0)
    return verification
  }

  @Test("judge every packed module, and all ways to compute it", arguments: [4, 8])
  func figures(bits: Int) throws {
    let model = try StoredModel(Self.olmoe)
    let report = try verification(
      WeightForm(dtype: .f32, activations: .exact, packing: packing(model, bits: bits))
    ).run()
    let kernel = try #require(report.kernel.first)
    let modules = try model.linearModules().count
    #expect(report.kernel.count == 1 && kernel.modules == modules && kernel.allModules == modules)
    #expect(kernel.rows == 24 && kernel.roundedBits == 16)
    #expect(kernel.one > 0 && kernel.one < 1e-4 && kernel.few < 1e-4 && kernel.many < 0.01)
    let runtime = try #require(report.runtime)
    #expect(runtime.decode.positions == 12 && runtime.decode.mean < 1e-6)
    #expect(runtime.company.positions == 48 && runtime.company.mean < 1e-6)
    #expect(runtime.prompt.positions == 20 && runtime.prompt.mean < 0.01, "\(runtime)")
    #expect(report.quantization.divergence.mean > runtime.prompt.mean)
    #expect(VerificationLimits().judgements(of: report).count == 6)
  }

  /// A weight that is wrong in one way of computing it.
  private struct Broken: LinearWeight {
    let packed: PackedWeight
    let arithmetic: Arithmetic
    /// The rows from which on it is wrong.
    let rows: Int

    var shape: [Int] { packed.shape }
    var dtype: DType { packed.dtype }
    var device: Device { packed.device }

    func product(_ x: Tensor, bias: Tensor?, as arithmetic: Arithmetic?) -> Tensor {
      let result = packed.product(x, bias: bias, as: arithmetic)
      let count = x.count / x.size(x.rank - 1)
      return arithmetic == self.arithmetic && count >= rows ? result * 1.5 : result
    }

    func rows(at ids: Tensor) -> Tensor { packed.rows(at: ids) }
  }

  @Test("find arithmetic that is wrong for single tokens, in company or in prompts alone")
  func brokenArithmetic() throws {
    let model = try StoredModel(Self.olmoe)
    func failures(_ arithmetic: Arithmetic, rows: Int) throws -> [String] {
      let form = WeightForm(
        dtype: .f32, activations: .exact, packing: try packing(model, bits: 8),
        transform: { name, weight in
          guard name.contains("o_proj") else { return weight }
          return Broken(packed: weight, arithmetic: arithmetic, rows: rows)
        })
      let report = try verification(form).run()
      return VerificationLimits().judgements(of: report).filter { !$0.passes }.map(\.figure)
    }
    #expect(
      try failures(.decode, rows: 1) == [
        "runtime: the mean divergence token by token",
        "runtime: the mean divergence of texts together",
      ])
    #expect(
      try failures(.decode, rows: 2) == ["runtime: the mean divergence of texts together"])
    #expect(try failures(.prompt, rows: 1) == ["runtime: the mean divergence of prompts"])
  }

  @Test("with replayed routing use the same experts, which otherwise differ")
  func replay() throws {
    let model = try StoredModel(Self.olmoe)
    var own = try verification(WeightForm(dtype: .f32, packing: packing(model, bits: 2)))
    let free = try own.run().quantization
    own.replaysRouting = true
    let replayed = try own.run().quantization
    #expect(free.routerOverlap.count == replayed.routerOverlap.count)
    #expect(free.routerOverlap.contains { $0 < 1 })
    #expect(!replayed.routerOverlap.isEmpty && replayed.routerOverlap.allSatisfy { $0 == 1 })
    #expect(free.divergence != replayed.divergence)
  }

  @Test("refuse numbers of tokens that do not fit, and let nothing pass that is not a number")
  func refusals() throws {
    let model = try StoredModel(Self.olmoe)
    let limit = model.configuration.contextLength
    for change in [
      { $0.context = limit + 1 }, { $0.decodedTokens = $0.context + 1 },
      { $0.generatedTokens = limit },
    ] as [(inout ModelVerification) -> Void] {
      var verification = try verification(WeightForm())
      change(&verification)
      #expect(throws: ModelVerification.Failure.self) { try verification.run() }
    }
    var report = try verification(WeightForm()).run()
    #expect(report.runtime == nil && report.kernel.isEmpty)
    report.quantization.divergence.mean = .nan
    let judgements = VerificationLimits().judgements(of: report)
    #expect(judgements.map(\.passes) == [false] && judgements[0].value == nil)
  }
}
