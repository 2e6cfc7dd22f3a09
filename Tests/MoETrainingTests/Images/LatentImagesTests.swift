import MoETraining
import Foundation
import MoECore
@testable import MoEData
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@Suite("Latents")
struct LatentImagesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func file(
    metadata: String = #"{"version": 1, "classes": 3, "scale": 2}"#,
    labels: [Int64] = [0, 2], deviation: [Int] = [2, 1, 2, 2]
  ) throws -> FilePath {
    let path = folder.file("latents.safetensors")
    try SafetensorsFile.write(
      [
        "mean": Tensor((0..<8).map { Float($0) }, shape: [2, 1, 2, 2]),
        "std": Tensor.full(0.5, deviation), "labels": Tensor(labels, shape: [labels.count]),
      ], metadata: ["switchyard": metadata], to: path)
    return path
  }

  @Test("are means without random numbers, and sampled with them")
  func draws() throws {
    let latents = try LatentImages(file())
    #expect(latents.count == 2 && latents.classes == 3 && latents.label(1) == 2)
    #expect(latents.images([1], random: nil).array(of: Float.self) == [8, 10, 12, 14])
    let random = RandomSource(seed: 1)
    let drawn = latents.images([0, 0], random: random)
    let expected = RandomSource(seed: 1).normal([2, 1, 2, 2])
    let mean = latents.images([0, 0], random: nil)
    expectClose(drawn, mean + expected, .sums)
  }

  @Test("of a model are written without the factor of its training data, and read with it")
  func writing() throws {
    let made = RandomSource(seed: 3).normal([3, 2, 4, 4]) * 7
    let path = folder.file("made.safetensors")
    try LatentImages.write(made, labels: [4, 0, 1], classes: 5, scale: 0.125, to: path)
    expectClose(try SafetensorsFile(path).tensor(named: "mean"), made * 8, .exact)
    let read = try LatentImages(path)
    #expect(read.scale == 0.125 && read.classes == 5 && (0..<3).map(read.label) == [4, 0, 1])
    expectClose(read.images([0, 1, 2], random: RandomSource(seed: 1)), made, .exact)
  }

  @Test("that are inconsistent are rejected")
  func refusals() throws {
    #expect(throws: ConfigurationError.self) { try LatentImages(file(metadata: "{}")) }
    #expect(throws: ConfigurationError.self) { try LatentImages(file(labels: [0, 3])) }
    #expect(throws: ConfigurationError.self) { try LatentImages(file(labels: [0])) }
    #expect(throws: ConfigurationError.self) { try LatentImages(file(deviation: [2, 1, 2, 1])) }
  }

  @Test(
    "with invalid values are rejected with the file and the image",
    arguments: [
      ("mean", Float.nan), ("mean", .infinity), ("std", .nan), ("std", .infinity), ("std", -1),
    ])
  func values(name: String, value: Float) throws {
    // More images than are checked at a time.
    let count = 300
    var tensors = [
      "mean": Tensor.zeros([count, 1, 2, 2]), "std": Tensor.ones([count, 1, 2, 2]),
      "labels": Tensor(Array(repeating: 0, count: count)),
    ]
    var values = Array(repeating: Float(0), count: count * 4)
    values[280 * 4 + 3] = value
    tensors[name] = Tensor(values, shape: [count, 1, 2, 2])
    let path = folder.file("damaged.safetensors")
    try SafetensorsFile.write(
      tensors, metadata: ["switchyard": #"{"version": 1, "classes": 1}"#], to: path)
    let error = #expect(throws: ConfigurationError.self) { try LatentImages(path) }
    let text = error?.description ?? ""
    #expect(
      text.contains("damaged.safetensors: \(name) is") && text.contains("image 280;"), "\(text)")
  }

  /// Writes latents of two channels and trains on them, one step.
  private func trained(
    _ name: String, validation: [Int] = [3, 2, 4, 4], scale: Double = 0.5, settings: [String] = []
  ) throws -> FilePath {
    for (file, shape) in [("train", [6, 2, 4, 4]), ("held", validation)] {
      let images = RandomSource(seed: 8).normal(shape)
      try LatentImages.write(
        images, labels: (0..<shape[0]).map { $0 % 3 }, classes: 3,
        scale: file == "train" ? 0.5 : scale, to: folder.file(file + ".safetensors"))
    }
    let text = """
      {"task": "diffusion",
       "model": {"patch_size": 2, "hidden_size": 16, "num_hidden_layers": 2,
                 "num_attention_heads": 2, "experts": {"router": "promoe", "count": 2}},
       "data": {"train": "train.safetensors", "validation": "held.safetensors"},
       "training": {"steps": 1, "batch_size": 2}, "optimizer": {"learning_rate": 0.001},
       "evaluation": {"samples": 2}}
      """
    try AtomicFile.write(text, to: folder.file("config.json"))
    let run = try TrainingRun(
      TrainingConfiguration(folder.file("config.json"), settings: settings), in: folder.file(name),
      resumes: false)
    guard case .finished(let model) = try run.run() else {
      throw SettingError(key: "run", value: "stopped", expected: "finished")
    }
    return model
  }

  @Test("train a model that generates latents, and records their scale")
  func training() throws {
    let path = try trained("run")
    let model = try StoredDiffusionModel(path)
    #expect(model.latentScale == 0.5 && !model.makesPictures && model.classNames.count == 3)
    #expect(model.configuration.channels == 2 && model.configuration.imageSize == 4)
    #expect(throws: ConfigurationError.self) { try model.checkPictures() }
    let again = try trained(
      "again", settings: [#"model={"path": "\#(path.removingLastComponent().string)"}"#])
    #expect(try StoredDiffusionModel(again).latentScale == 0.5)
  }

  @Test("that do not fit a model or each other are refused with the file")
  func mismatches() throws {
    func message(_ validation: [Int], _ scale: Double, _ settings: String...) -> String {
      do {
        _ = try trained("refused", validation: validation, scale: scale, settings: settings)
        return ""
      } catch { return "\(error)" }
    }
    let fitting = [3, 2, 4, 4]
    #expect(
      message(fitting, 0.5, "model.image_size=8").contains(
        "train.safetensors: data.train is of 2×4×4; it must be of 2×8×8"))
    #expect(
      message(fitting, 0.5, "model.num_classes=2").contains(
        "train.safetensors: data.train is of 3 classes"))
    #expect(
      message([3, 2, 8, 8], 0.5).contains(
        "held.safetensors: data.validation is of 2×8×8; it must be of 2×4×4"))
    #expect(message(fitting, 0.25).contains("held.safetensors: scale is 0.25; it must be 0.5"))
    for key in ["size=4", "channels=1", "limit=1"] {
      #expect(message(fitting, 0.5, "data.\(key)").contains("it must be absent for latents"))
    }
  }
}
