import MoERouting
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import Testing

/// The mean of a sample's positions, through a linear layer: a kind that the library does not have.
private struct MeanExpert: Expert {
  let output: Linear
  var view: InputView { .sequence }

  func callAsFunction(_ input: ExpertInput, as arithmetic: Arithmetic?) -> Tensor {
    guard case .sequence(let x) = input else { preconditionFailure("another view than its own") }
    let sums = zip(x.starts, x.lengths).map { x.rows[$0..<$0 + $1].mean(axis: 0) }
    return output(Tensor.stacked(sums))
  }
}

extension ExpertKind {
  fileprivate static let mean = ExpertKind("test_mean", reading: .sequence) { expert in
    MeanExpert(output: try expert.linear("output", expert.outputs, expert.width))
  }

  fileprivate static let isRegistered: Bool = {
    ExpertKinds.registry.register(ExpertKind.mean.name, .mean)
    return true
  }()
}

@Suite("A kind of expert from outside")
struct ExpertKindTests {
  private let views = InputViews(
    pooled: RandomSource(seed: 1).normal([40, 6]),
    sequence: PackedRows(
      rows: RandomSource(seed: 2).normal([120, 6]), lengths: Array(repeating: 3, count: 40)))

  private static func mixture(_ kinds: [ExpertKind]) throws -> ExpertMixture {
    try ExpertMixture(
      MixtureConfiguration(
        experts: kinds, inputs: 6, width: 8, expertSize: 4, outputs: 3,
        router: SingleExpertRouter()),
      weights: RandomWeights(RandomSource(seed: 3)))
  }

  @Test("is named in a configuration, built, run and trained like the library's")
  func usage() throws {
    #expect(ExpertKind.isRegistered)
    let kind = try #require(ExpertKinds.registry["test_mean"])
    let mixture = try Self.mixture([.feedForward, kind])
    #expect(
      mixture.parameters.map(\.name).suffix(2) == [
        "experts.1.output.weight", "experts.1.output.bias",
      ])
    let output = mixture(views)
    #expect(output.answers.shape == [40, 3])
    #expect(output.routing.load.tokens.allSatisfy { $0 > 0 })
    let own = mixture.parameters.filter { $0.name.hasPrefix("experts.1") }.map(\.parameter)
    let result = try valueAndGradients(
      of: { mixture(views, training: true).answers.pow(2).sum() }, for: own)
    #expect(result.gradients.allSatisfy { ($0 .!= 0).any() })
  }

  @Test("is listed when a configuration names an unknown one")
  func unknown() throws {
    #expect(ExpertKind.isRegistered)
    let folder = try TemporaryFolder()
    let path = try folder.write(
      Array(
        #"{"model_type": "hecto", "labels": ["a", "b"], "max_length": 16, "experts": ["ff", "median"], "encoder": {"model_type": "bag", "vocab_size": 300, "hidden_size": 8, "max_position_embeddings": 32}}"#
          .utf8), to: "config.json")
    let error = #expect(throws: ConfigurationError.self) {
      try ClassifierConfiguration(ConfigurationObject(path))
    }
    let text = error?.description ?? ""
    for name in ["'ff'", "'gru'", "'test_mean'"] { #expect(text.contains(name), "\(text)") }
  }
}
