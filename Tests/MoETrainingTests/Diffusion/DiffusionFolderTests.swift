import MoEEvaluation
import Foundation
import MoECore
import MoEData
import MoEModels
import MoETensor
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@testable import MoETraining

/// Folders of images whose classes differ from set to set, and models whose training continues.
@Suite("Diffusion on folders of images")
struct DiffusionFolderTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Writes a few images of 8×8 pixels for each class, all of one shade.
  private func pictures(_ set: String, _ shades: [String: UInt8], count: Int = 2) throws {
    for (name, shade) in shades {
      let inner = folder.file(set).appending(name)
      try inner.createFolders()
      for number in 0..<count {
        try ImageFile.write(
          Pixels(width: 8, height: 8, channels: 1, shade: shade),
          to: inner.appending("\(number).png"))
      }
    }
  }

  private func configuration(
    model: String? = nil, validation: String? = "test"
  ) throws -> TrainingConfiguration {
    let new = """
      {"preset": "8x8", "router": "promoe", "num_hidden_layers": 2, "hidden_size": 16,
       "num_attention_heads": 2, "experts": {"count": 2, "expert_size": 16, "shared_size": 16}}
      """
    let text = """
      {"task": "diffusion", "model": \(model.map { "{\"path\": \"\($0)\"}" } ?? new),
       "data": {"train": "train"\(validation.map { ", \"validation\": \"\($0)\"" } ?? "")},
       "training": {"steps": 1, "batch_size": 2}, "optimizer": {"learning_rate": 0.001},
       "evaluation": {"samples": 0}}
      """
    try AtomicFile.write(text, to: folder.file("config.json"))
    return try TrainingConfiguration(folder.file("config.json"), settings: [])
  }

  private func data(_ configuration: TrainingConfiguration) throws -> ImageDataSettings {
    try #require(configuration.recipe as? DiffusionRecipe).data
  }

  private func trained(_ configuration: TrainingConfiguration, _ name: String) throws -> FilePath {
    let run = try TrainingRun(configuration, in: folder.file(name), resumes: false)
    guard case .finished(let model) = try run.run() else {
      throw SettingError(key: "run", value: "stopped", expected: "finished")
    }
    return model
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return ""
    } catch { return "\(error)" }
  }

  @Test("classes of a validation set have the labels of the training set's")
  func validation() throws {
    try pictures("train", ["cat": 10, "dog": 20, "emu": 30])
    try pictures("test", ["dog": 20, "emu": 30], count: 1)
    let opened = try data(configuration()).open { _ in }
    let held = try #require(opened.validation)
    #expect(held.classes == 3 && (0..<2).map(held.label) == [1, 2])
    let dog = try held.images([0], random: nil).array(of: Float.self)[0]
    #expect(abs(dog - (20 / 127.5 - 1)) < 1e-6)
    try pictures("test", ["fox": 40], count: 1)
    let refused = message { _ = try trained(configuration(), "other") }
    #expect(refused.contains("the classes dog, emu, fox; known are cat, dog, emu;"), "\(refused)")
  }

  @Test("a model whose weights do not match its config.json is not trained")
  func otherModel() throws {
    try pictures("train", ["cat": 10, "dog": 200])
    let model = try trained(configuration(validation: nil), "first")
    let path = model.appending("config.json")
    let text = String(decoding: try readBytes(path), as: UTF8.self)
    for (old, new, expected) in [
      ("\"num_classes\" : 2", "\"num_classes\" : 3", "2 classes"),
      ("\"promoe\"", "\"k_means\"", "describes a model routed by k-means"),
    ] {
      #expect(text.contains(old))
      let other = text.replacing(old, with: new)
        .replacing(
          "\"scoring\" : \"identity\",",
          with: new.contains("k_means") ? "" : "\"scoring\" : \"identity\",")
      try AtomicFile.write(other, to: path)
      let refused = message {
        _ = try trained(configuration(model: model.string, validation: nil), "refused")
      }
      #expect(refused.contains("it holds ProMoE") && refused.contains(expected), "\(refused)")
    }
  }

  @Test("a model whose training continues keeps its classes, and maps images by class name")
  func names() throws {
    try pictures("train", ["cat": 10, "dog": 200, "emu": 90])
    let model = try trained(configuration(validation: nil), "first")
    try FileManager.default.removeItem(atPath: folder.file("train").string)
    try pictures("train", ["dog": 200, "emu": 90])
    let next = try trained(configuration(model: model.string, validation: nil), "next")
    #expect(try StoredDiffusionModel(next).classNames == ["cat", "dog", "emu"])
    let files = ImageFiles([folder.file("train")])
    for images in [DiffusionInspection.Images.files(files), .run(folder.file("next"))] {
      let report = try DiffusionInspection(of: next, on: images, name: "next").report
      #expect(report.classes == ["cat", "dog", "emu"])
      let patches = report.blocks[0].usage.map { $0.reduce(0, +) }
      #expect(patches == [0, 2 * 16, 2 * 16])
    }
    try pictures("train", ["fox": 1])
    for body in [
      { _ = try trained(configuration(model: model.string, validation: nil), "refused") },
      { _ = try DiffusionInspection(of: next, on: .files(files), name: "next") },
    ] {
      let refused = message(body)
      #expect(refused.contains("dog, emu, fox; known are cat, dog, emu"), "\(refused)")
    }
  }
}
