import Foundation
import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoEModels

@Suite("Diffusion transformers")
struct DiffusionTransformerTests {
  private static let routers = DiffusionExpertsConfiguration.Router.builtIn
  private static let allKinds: [DiffusionExpertsConfiguration.Router?] = [nil] + routers

  @Test("put columns before rows in their positions, sines before cosines")
  func positions() {
    let found = DiffusionEmbeddings.positions(rows: 3, width: 8)
    let patch = found[8 * 5..<8 * 6]  // Row 1, column 2.
    let expected =
      [2.0, 0.02].map(sin) + [2.0, 0.02].map(cos) + [1, 0.01].map(sin) + [1, 0.01].map(cos)
    #expect(zip(patch, expected).allSatisfy { abs(Double($0) - $1) < 1e-7 })
    let waves = DiffusionEmbeddings.times(Tensor([0, 250.5] as [Float])).array(of: Float.self)
    #expect(waves[..<128].allSatisfy { $0 == 1 } && waves[128..<256].allSatisfy { $0 == 0 })
    let frequency = exp(-log(10000.0) / 128 * 64)
    #expect(abs(Double(waves[256 + 64]) - cos(250.5 * frequency)) < 1e-5)
    #expect(abs(Double(waves[256 + 192]) - sin(250.5 * frequency)) < 1e-5)
  }

  @Test("output 0 when they are new, with every rule", arguments: routers)
  func startsAtZero(router: DiffusionExpertsConfiguration.Router) throws {
    let model = try DiffusionSample.new(router)
    let output = model(
      DiffusionSample.images(3), times: DiffusionSample.times(3), labels: [0, 5, 4], pass: .training
    )
    #expect(output.prediction.shape == [3, 4, 8, 8] && !(output.prediction .!= 0).any())
    #expect(output.sparse.count == 2)
    // Every block is the identity, so both sparse blocks see the same input.
    #expect(!(output.sparse[0].tokens .!= output.sparse[1].tokens).any())
  }

  @Test("teach prototypes, but no expert, in the first step")
  func firstGradients() throws {
    let model = try DiffusionSample.new(.promoe)
    let target = DiffusionSample.images(3, seed: 9)
    let found = try valueAndGradients(
      of: {
        let output = model(
          DiffusionSample.images(3), times: DiffusionSample.times(3), labels: [0, 5, 4],
          pass: .training)
        let error = output.prediction.split(count: 2, axis: 1)[0].meanSquaredError(target)
        return output.sparse.reduce(error) {
          $0 + ($1.contrastiveLoss(temperature: 0.07) ?? Tensor(0 as Float))
        }
      }, for: model.parameters.map(\.parameter))
    for (weight, gradient) in zip(model.parameters, found.gradients) {
      let isMoved = (gradient .!= 0).any()
      if weight.name.contains("expert") { #expect(!isMoved, "\(weight.name)") }
      if weight.name.contains("cluster_centers") { #expect(isMoved, "\(weight.name)") }
    }
  }

  @Test("are initialized like the paper's code")
  func initialization() throws {
    let model = try DiffusionSample.new(.promoe)
    func values(_ name: String) throws -> [Float] {
      let weight = try #require(model.parameters.first { $0.name == name })
      return weight.parameter.value.array(of: Float.self)
    }
    for name in ["blocks.1.mlp.experts.4.up_proj", "blocks.0.mlp.fc1", "blocks.2.attn.proj"] {
      let weight = try values(name + ".weight")
      let outputs = try values(name + ".bias").count
      let bound = Float((6.0 / Double(outputs + weight.count / outputs)).squareRoot())
      #expect(weight.allSatisfy { abs($0) <= bound } && (weight.max() ?? 0) > 0.9 * bound)
      #expect(try values(name + ".bias").allSatisfy { $0 == 0 })
    }
    let patches = try values("x_embedder.proj.weight")
    #expect((patches.max() ?? 0) <= Float((6.0 / 40).squareRoot()))
    for name in ["blocks.1.mlp.cluster_centers", "t_embedder.mlp.2.weight"] {
      let numbers = try values(name)
      let variance = numbers.reduce(0) { $0 + $1 * $1 } / Float(numbers.count)
      #expect(abs(variance.squareRoot() - 0.02) < 0.003, "\(name)")
    }
    for named in model.parameters where named.name.contains("adaLN") || named.name.contains("final")
    {
      #expect(!(named.parameter.value .!= 0).any(), "\(named.name)")
    }
    let gate = try #require(
      DiffusionSample.new(.tokenChoice).parameters.first { $0.name == "blocks.1.mlp.gate.weight" })
    let bound = 1 / 32.0.squareRoot()
    #expect(!(gate.parameter.value.abs() .> bound).any())
  }

  @Test(
    "have the same gradients when blocks are recomputed", arguments: allKinds)
  func recomputation(router: DiffusionExpertsConfiguration.Router?) throws {
    let model = try DiffusionSample.awake(router)
    let (images, times, labels) = (DiffusionSample.images(3), DiffusionSample.times(3), [0, 5, 4])
    func loss(_ output: DiffusionTransformer.Output) -> Tensor {
      output.sparse.reduce(output.prediction.pow(2).mean()) { sum, layer in
        let parts: [Tensor?] = [
          layer.contrastiveLoss(temperature: 0.07), layer.balanceLoss, layer.capacityLoss,
          layer.classificationLoss,
        ]
        return parts.compactMap(\.self).reduce(sum) { $0 + $1 }
      }
    }
    let parameters = model.parameters.map(\.parameter)
    let whole = try valueAndGradients(
      of: { loss(model(images, times: times, labels: labels, pass: .training)) }, for: parameters)
    let again = try valueAndGradients(
      of: { loss(try model.recomputing(images, times: times, labels: labels)) }, for: parameters)
    expectClose(again.value, whole.value, .exact)
    for (place, gradient) in again.gradients.enumerated() {
      expectClose(gradient, whole.gradients[place], .sameKernels, model.parameters[place].name)
    }
  }

  @Test("keep their description in config.json", arguments: routers)
  func configuration(router: DiffusionExpertsConfiguration.Router) throws {
    let folder = try TemporaryFolder()
    for size in [DiffusionSize.pixels8, .large] {
      var known = DiffusionConfiguration.preset(size, router: router)
      known.objective = .noisePrediction
      try AtomicFile.write(try known.json(), to: folder.file("config.json"))
      let read = try DiffusionConfiguration(ConfigurationObject(folder.file("config.json")))
      #expect(read == known)
    }
  }

  @Test(
    "refuse descriptions of models that cannot exist",
    arguments: [
      (#""patch_size": 3"#, "patch_size"), (#""hidden_size": 30"#, "hidden_size"),
      (#""num_attention_heads": 3"#, "num_attention_heads"),
      (#""label_dropout": 1"#, "label_dropout"),
      (#""num_classes": 0"#, "num_classes"), (#""image_size": 1e9"#, "image_size"),
      (#""qk_nrm": true"#, "qk_nrm"), (#""objective": "flow""#, "objective"),
      (#""experts": {"router": "promoe"}"#, "experts.count"),
      (#""experts": {"router": "top", "count": 4}"#, "router"),
      (#""experts": {"router": "promoe", "count": 4, "per_token": 5}"#, "per_token"),
      (#""experts": {"router": "tc_dit", "count": 4, "shared_size": 8}"#, "shared_size"),
      (#""experts": {"router": "tc_dit", "count": 4, "scoring": "identity"}"#, "scoring"),
      (#""experts": {"router": "k_means", "count": 4, "per_token": 2}"#, "per_token"),
      (
        #""experts": {"router": "classification", "count": 4, "superclasses": [0, 4]}"#,
        "superclasses"
      ),
      (
        #""label_dropout": 0, "experts": {"router": "promoe", "count": 4, "unconditional": true}"#,
        "unconditional"
      ),
      (
        #""num_hidden_layers": 1, "experts": {"router": "promoe", "count": 4}"#, "num_hidden_layers"
      ),
    ])
  func badConfiguration(change: String, key: String) throws {
    let folder = try TemporaryFolder()
    let usual = [
      "image_size": "8", "channels": "1", "patch_size": "2", "hidden_size": "32",
      "num_hidden_layers": "2", "num_attention_heads": "2", "num_classes": "3",
    ]
    let rest = usual.filter { !change.contains("\"\($0.key)\"") }.map {
      "\"\($0.key)\": \($0.value)"
    }
    let text =
      "{\"model_type\": \"diffusion_transformer\", \(change), \(rest.joined(separator: ", "))}"
    try AtomicFile.write(text, to: folder.file("config.json"))
    let error = #expect(throws: ConfigurationError.self) {
      try DiffusionConfiguration(ConfigurationObject(folder.file("config.json")))
    }
    #expect(error?.description.contains(key) == true, "\(error?.description ?? "")")
  }
}
