import Foundation
import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import Testing

@testable import MoEModels

/// Fixtures: `Tests/Fixtures/make/diffusion.py`.
@Suite("Image samplers")
struct DiffusionSamplerTests {
  private let run: DiffusionRun

  init() throws { run = try DiffusionRun() }

  private func sampler(
    _ method: DiffusionSampler.Method, steps: Int = 10, guidance: Guidance = Guidance(scale: 1.5)
  ) throws -> DiffusionSampler {
    try DiffusionSampler(method, steps: steps, guidance: guidance)
  }

  @Test(
    "take the same ten steps as the reference, in two passes and in one batch",
    arguments: DiffusionRun.rules, [false, true])
  func parity(rule: DiffusionRun.Rule, isConcatenated: Bool) throws {
    let guidance = Guidance(scale: 1.5, isConcatenated: isConcatenated)
    let noise = try run.tensor("noise")
    let flow = try run.model(rule.router, perToken: rule.perToken)
    let close = Tolerance(relative: 1e-5, absolute: 2e-5)
    for method in [DiffusionSampler.Method.euler, .heun] {
      let found = try sampler(method, guidance: guidance)
        .follow(flow, from: noise, labels: DiffusionRun.labelled)
      expectClose(
        found, try run.tensor(rule.prefix + "sample/\(method.rawValue)"), close, method.rawValue)
    }
    let noises = try run.tensor("sample/noises")
    let process = try run.model(
      rule.router, perToken: rule.perToken, objective: .noisePrediction)
    for method in [DiffusionSampler.Method.ancestral, .ddim] {
      let found = try sampler(method, guidance: guidance).walk(
        process, from: noise, labels: DiffusionRun.labelled, noise: { noises[$0] })
      let expected = try run.tensor(rule.prefix + "sample/\(method.rawValue)")
      // The first jump divides by the small fraction of the image that is left at the end of the
      // schedule.
      let scale = Double(expected.abs().reshaped([-1]).max(axis: 0).item(as: Float.self))
      expectClose(
        found, expected, Tolerance(relative: 1e-4, absolute: 2e-5 * scale), method.rawValue)
    }
  }

  @Test("follow a known velocity with the order of their method")
  func orders() throws {
    // x' = x · cos(t) is solved by x = x₀ · exp(sin t).
    let field = KnownField { images, time in images * cos(time) }
    let noise = Tensor.ones([1, 1, 2, 2], dtype: .f64)
    func error(_ method: DiffusionSampler.Method, _ steps: Int) throws -> Double {
      let end = try sampler(method, steps: steps, guidance: Guidance())
        .follow(field, from: noise, labels: [0])
      return abs(Double(end.array(of: Double.self)[0]) - exp(-sin(1.0)))
    }
    #expect(abs(try error(.euler, 20) / error(.euler, 40) - 2) < 0.2)
    #expect(abs(try error(.heun, 10) / error(.heun, 20) - 4) < 0.5)
  }

  @Test(
    "make the same image from the same seed, whatever else is in the batch",
    arguments: [
      DiffusionSampler.Method.euler, .ancestral,
    ])
  func seeds(method: DiffusionSampler.Method) throws {
    let model = try run.model(objective: method.objective)
    let sampler = try sampler(method, steps: 4)
    let four = try sampler.images(from: model, labels: [0, 1, 2, 3], seed: 5)
    let again = try sampler.images(from: model, labels: [0, 1, 2, 3], seed: 5)
    expectClose(again, four, .exact)
    let last = try sampler.images(from: model, labels: [2, 3], seed: 5, first: 2)
    let scale = Double(four.abs().reshaped([-1]).max(axis: 0).item(as: Float.self))
    expectClose(last, four[2..<4], Tolerance(relative: 1e-4, absolute: 1e-5 * scale))
    let other = try sampler.images(from: model, labels: [0, 1, 2, 3], seed: 6)
    #expect((other .!= four).any())
    #expect(try sampler.images(from: model, labels: [], seed: 5).shape == [0, 2, 8, 8])
  }

  @Test(
    "make the same images in batches", arguments: [DiffusionSampler.Method.heun, .ancestral])
  func batches(method: DiffusionSampler.Method) throws {
    let model = try run.model(objective: method.objective)
    let sampler = try sampler(method, steps: 3)
    let labels = [4, 0, 1, 2, 3]
    let whole = try sampler.images(from: model, labels: labels, seed: 5)
    var seen: [[Int]] = []
    let parts = try sampler.images(from: model, labels: labels, seed: 5, batchSize: 2) {
      seen.append([$0, $1.step, $1.images.size(0)])
    }
    let scale = Double(whole.abs().reshaped([-1]).max(axis: 0).item(as: Float.self))
    expectClose(parts, whole, Tolerance(relative: 1e-4, absolute: 1e-5 * scale))
    #expect(seen.filter { $0[1] == 3 } == [[0, 3, 2], [2, 3, 2], [4, 3, 1]] && seen.count == 12)
    let one = try sampler.images(from: model, labels: labels, seed: 5, batchSize: 9)
    expectClose(one, whole, .exact)
    #expect(try sampler.images(from: model, labels: [], seed: 5, batchSize: 2).count == 0)
    // A wrong label in the last batch is an error before any work.
    #expect(throws: SettingError.self) {
      try sampler.images(from: model, labels: [0, 0, 9], seed: 5, batchSize: 2) { _, _ in
        Issue.record("work has begun")
      }
    }
  }

  @Test("show the intermediate images")
  func trajectory() throws {
    let model = try run.model()
    var times: [Double] = []
    var last: Tensor?
    let images = try sampler(.euler, steps: 4).images(from: model, labels: [0], seed: 1) {
      times.append($0.time)
      #expect($0.step == times.count - 1)
      last = $0.images
    }
    #expect(times == [1, 0.75, 0.5, 0.25, 0])
    expectClose(try #require(last), images, .exact)
  }

  @Test("use guidance only above 1 and inside its interval")
  func guidance() throws {
    let model = try run.model()
    let noise = try run.tensor("noise")
    let labels = DiffusionRun.labelled
    func end(_ guidance: Guidance) throws -> Tensor {
      try sampler(.euler, steps: 4, guidance: guidance).follow(model, from: noise, labels: labels)
    }
    let plain = try end(Guidance())
    expectClose(try end(Guidance(scale: 3, interval: 0...0.1)), plain, .exact)
    #expect((try end(Guidance(scale: 3)) .!= plain).any())
    let counter = CountingObserver()
    _ = model(noise, times: Tensor.full(1000, [4]), labels: labels, observer: counter)
    // With labels everywhere, the unconditional expert has nothing to do.
    #expect(counter.loads.count == 1 && counter.loads[0][4] == nil)
    #expect(counter.loads[0].values.reduce(0, +) == 4 * 16)
  }

  @Test("refuse models and settings that do not fit, before work starts")
  func refusals() throws {
    let flow = try run.model()
    #expect(throws: SettingError.self) { try sampler(.euler, steps: 0) }
    #expect(throws: SettingError.self) { try sampler(.ddim, steps: 1001) }
    func error(
      _ sampler: DiffusionSampler, _ model: DiffusionTransformer, _ labels: [Int]
    ) -> String {
      let error = #expect(throws: (any Error).self) {
        try sampler.images(from: model, labels: labels, seed: 1)
      }
      return error.map { "\($0)" } ?? ""
    }
    #expect(error(try sampler(.ddim), flow, [0]).contains("euler or heun"))
    #expect(error(try sampler(.euler), flow, [6]).contains("label is 6"))
    #expect(error(try sampler(.euler), flow, [-1]).contains("0…4"))
    let unlabelled = try SampleImages.model(.tokenChoice) { $0.labelDropout = 0 }
    #expect(error(try sampler(.euler), unlabelled, [0]).contains("label_dropout 0"))
    _ = try sampler(.euler, steps: 1, guidance: Guidance()).images(
      from: unlabelled, labels: [0], seed: 1)
    let batch = Guidance(scale: 2, isConcatenated: true)
    let diffMoE = try SampleImages.model(.diffMoE)
    #expect(error(try sampler(.euler, guidance: batch), diffMoE, [0]).contains("two passes"))
    for scale in [0.5, .infinity, .nan] {
      #expect(
        error(try sampler(.euler, guidance: Guidance(scale: scale)), flow, [0])
          .contains("guidance is \(scale); it must be a finite number of at least 1"))
    }
    let interval = Guidance(scale: 2, interval: 0...2)
    #expect(error(try sampler(.euler, guidance: interval), flow, [0]).contains("interval"))
  }
}

/// A velocity that is known for every image and time.
private final class KnownField: Denoiser {
  let imageShape = [1, 2, 2]
  let objective = DiffusionConfiguration.Objective.rectifiedFlow
  let classes = 1
  let nullLabel: Int? = nil
  let treatsImagesAlone = true
  private let field: (Tensor, Double) -> Tensor

  init(_ field: @escaping (Tensor, Double) -> Tensor) { self.field = field }

  func predict(_ images: Tensor, times: Tensor, labels: [Int]) -> Tensor {
    field(images, Double(times.array(of: Float.self)[0]) / 1000)
  }
}

/// Counts the assignments of each expert, layer by layer.
private final class CountingObserver: RoutingObserver {
  let wantsWeights = false
  private(set) var loads: [[Int: Int]] = []

  func beginPass(tokens: [Int32], sequenceLengths: [Int]) {}
  func observe(_ report: RoutingReport) {
    loads.append(
      report.experts.filter { $0 >= 0 }.reduce(into: [:]) { $0[$1, default: 0] += 1 })
  }
  func endPass() {}
}
