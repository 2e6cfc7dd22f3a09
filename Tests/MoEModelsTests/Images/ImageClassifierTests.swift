import Foundation
import MoECore
import MoETensor
import MoETestSupport
import Testing

@testable import MoEModels

/// Fixtures: `Tests/Fixtures/make/fidelity.py`.
@Suite("Classifiers of images")
struct ImageClassifierTests {
  private let file: SafetensorsFile
  private let model: ImageClassifier

  init() throws {
    file = try SafetensorsFile(Fixtures.path("fidelity/classifier.safetensors"))
    model = try ImageClassifier.open(Fixtures.path("fidelity/classifier"))
  }

  private func tensor(_ name: String) throws -> Tensor { try file.tensor(named: name) }

  @Test("have the features and logits of plain PyTorch")
  func answers() throws {
    let output = model(try tensor("images"))
    expectClose(output.features, try tensor("features"), .logits)
    expectClose(output.logits, try tensor("logits"), .logits)
    #expect(output.batch.isEmpty)
  }

  @Test("have its loss, gradients and statistics in training")
  func training() throws {
    let (images, labels) = (try tensor("images"), try tensor("labels"))
    var batch: [Tensor] = []
    let found = try valueAndGradients(
      of: {
        let output = model(images, training: true)
        batch = output.batch
        return output.logits.crossEntropy(targets: labels)
      }, for: model.parameters.map(\.parameter))
    expectClose(found.value, try tensor("loss"), .logits)
    for (named, gradient) in zip(model.parameters, found.gradients) {
      expectClose(gradient, try tensor("gradients/" + named.name), .logits, named.name)
    }
    for (named, value) in zip(model.statistics, batch) {
      expectClose(value, try tensor("batch/" + named.name), .logits, named.name)
    }
    let before = model.statistics[0].parameter.value
    model.learn(from: batch, share: 0.25)
    expectClose(
      model.statistics[0].parameter.value, before * 0.75 + batch[0] * 0.25, .sameKernels)
  }

  @Test("of depth 20 have the weights of ResNet-20 for CIFAR-10")
  func resNet20() throws {
    let model = try ImageClassifier(
      ImageClassifierConfiguration(
        imageSize: 32, channels: 3, depth: 20, labels: (0..<10).map { "\($0)" },
        mean: [0, 0, 0], deviation: [1, 1, 1]), weights: RandomWeights(RandomSource(seed: 1)))
    // He et al. 2016, table 6: 0.27 million.
    #expect(model.parameters.reduce(0) { $0 + $1.parameter.value.count } == 269_722)
    #expect(model(Tensor.zeros([1, 3, 32, 32])).features.shape == [1, 64])
  }

  @Test(
    "reject invalid configurations",
    arguments: [
      (#""depth": 9"#, "2 more than a multiple of 6"), (#""channels": 2"#, "1 or 3"),
      (#""labels": ["a", "a"]"#, "different names"), (#""mean": [0.5]"#, "3 numbers"),
      (#""deviation": [1, 0, 1]"#, "above 0"), (#""dept": 8"#, "did you mean 'depth'"),
      (#""image_size": 0"#, "4…4096"),
    ])
  func refusals(change: String, expected: String) throws {
    let folder = try TemporaryFolder()
    let key = change.split(separator: "\"")[0]
    var entries = [
      "model_type": #""image_classifier""#, "image_size": "8", "channels": "3", "depth": "8",
      "width": "4", "labels": #"["a", "b"]"#, "mean": "[0, 0, 0]", "deviation": "[1, 1, 1]",
    ]
    let parts = change.split(separator: ":", maxSplits: 1).map {
      $0.trimmingCharacters(in: .whitespaces)
    }
    entries[String(key)] = parts[1]
    let text = entries.map { "\"\($0)\": \($1)" }.joined(separator: ", ")
    let path = try folder.write(Array("{\(text)}".utf8), to: "config.json")
    #expect {
      _ = try ImageClassifierConfiguration(ConfigurationObject(path))
    } throws: {
      "\($0)".contains(expected)
    }
  }
}
