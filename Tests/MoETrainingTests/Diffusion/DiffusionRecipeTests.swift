import MoEEvaluation
import Foundation
import MoECore
import MoEData
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoETraining

@Suite("Configurations of diffusion")
struct DiffusionRecipeTests {
  private let folder: TemporaryFolder
  private static let text = """
    {"task": "diffusion",
     "model": {"preset": "8x8", "router": "promoe", "num_hidden_layers": 2, "hidden_size": 16,
               "num_attention_heads": 2, "experts": {"count": 2, "expert_size": 16, "shared_size": 16}},
     "data": {"train": "images", "labels": "labels", "validation_share": 0.25},
     "training": {"steps": 4, "batch_size": 4},
     "optimizer": {"learning_rate": 0.001},
     "evaluation": {"every": 2, "samples": 2, "sampling_steps": 2, "guidance": 1.5}}
    """

  init() throws {
    folder = try TemporaryFolder()
    var generator = SeededGenerator(seed: 4)
    let set = LabelledImages(
      width: 8, height: 8, channels: 1,
      bytes: (0..<12 * 64).map { _ in UInt8.random(in: 0...255, using: &generator) },
      labels: (0..<12).map { $0 % 3 }, classes: ["a", "b", "c"])
    let (images, labels) = IDXFile.bytes(of: set)
    _ = try folder.write(images, to: "images")
    _ = try folder.write(labels, to: "labels")
  }

  private func configuration(_ settings: [String]) throws -> TrainingConfiguration {
    try AtomicFile.write(Self.text, to: folder.file("config.json"))
    return try TrainingConfiguration(folder.file("config.json"), settings: settings)
  }

  @Test(
    "train a model whose folder opens again, with pictures and tables during training",
    arguments: ["promoe", "promoe_expert_choice", "tc_dit", "k_means", "dense"])
  func trains(router: String) throws {
    let changes =
      router == "tc_dit"
      ? [#"model.experts={"count": 2, "expert_size": 16}"#]
      : router == "dense" ? ["model.experts=null"] : []
    let out = folder.file("out")
    let run = try TrainingRun(
      configuration(["model.router=\(router)"] + changes), in: out, resumes: false)
    #expect(run.unit == "images" && run.headline.contains("9 images of 1×8×8, 3 classes"))
    guard case .finished(let model) = try run.run() else {
      Issue.record("the run did not finish")
      return
    }
    let shown = out.appending("evaluations").appending(CheckpointStore.name(ofStep: 4))
    let sheet = try ImageFile.read(shown.appending("samples.png"))
    #expect(sheet.width == 2 * (64 + 2) + 2 && sheet.height == 3 * (64 + 2) + 2)
    #expect(shown.appending("usage-by-class.csv").isMissing == (router == "dense"))
    let stored = try StoredDiffusionModel(model)
    // MNIST files have no class names.
    #expect(stored.classNames == ["0", "1", "2"])
    #expect(try stored.labels(named: "2,0") == [2, 0])
    #expect(throws: SettingError.self) { try stored.labels(named: "7") }
    let images = try SamplePictures(perClass: 1, steps: 2).sheet(
      of: stored.model(), classes: 3, device: .cpu)
    #expect(images != nil)
  }

  @Test(
    "coefficients of losses that a rule does not have are reported",
    arguments: [
      ("dense", "losses.contrastive=1", "contrastive changes nothing: a dense model has no"),
      ("tc_dit", "losses.capacity=0.1", "the router 'tc_dit' has no predicted capacities"),
      ("tc_dit", "losses.balance=0.1", ""), ("dense", "losses.contrastive=0", ""),
      ("dense", "losses.balance=0.1", "has no experts"), ("promoe", "losses.temperature=0.1", ""),
      ("promoe", "losses.classification=1", "'promoe' has no classifier"),
    ])
  func idleLosses(router: String, setting: String, expected: String) throws {
    let changes =
      router == "promoe"
      ? [] : [#"model.experts=\#(router == "dense" ? "null" : #"{"count": 2}"#)"#]
    let run = try TrainingRun(
      configuration(["model.router=\(router)", setting] + changes), in: folder.file("idle"),
      resumes: false)
    #expect(run.notices.isEmpty == expected.isEmpty)
    #expect(run.notices.allSatisfy { $0.contains(expected) }, "\(run.notices)")
  }

  @Test("models that predict noise learn variances unless configured otherwise")
  func variances() throws {
    func outputs(_ settings: String...) throws -> Int {
      let recipe = try #require(configuration(settings).recipe as? DiffusionRecipe)
      return try recipe.prepare(in: folder.path, device: .cpu) { _ in }
        .task.model.configuration.outputChannels
    }
    let noise = "model.objective=noise_prediction"
    #expect(try outputs() == 1 && outputs(noise) == 2)
    #expect(try outputs(noise, "model.learn_sigma=false") == 1)
    #expect(try outputs("model.learn_sigma=true") == 2)
  }

  @Test("held-out images are the last of each class")
  func split() throws {
    let set = LabelledImages(
      width: 1, height: 1, channels: 1, bytes: Array(0..<8), labels: [0, 1, 0, 1, 0, 1, 0, 1],
      classes: ["a", "b"])
    let (training, held) = ImageDataSettings.split(set, share: 0.25)
    #expect(training.bytes == [0, 1, 2, 3, 4, 5] && held?.bytes == [6, 7])
  }

  @Test(
    "wrong ones are refused before work starts",
    arguments: [
      ("data.labels=nowhere", "nowhere: there is no such file"),
      ("data.labels=null", "images: there is no such folder"),
      ("data.channels=2", "data.channels is 2; it must be 1 or 3"),
      ("model.patch_size=3", "patch_size is 3; it must be a divisor of image_size (8)"),
      ("model.image_size=16", "images: data.train is of 1×8×8; it must be of 1×16×16"),
      ("model.num_classes=2", "data.train is of 3 classes; it must be of at most 2"),
      ("model.router=other", "model.router is 'other'; it must be one of dense, promoe"),
      ("model.presets=8x8", "did you mean"),
      ("model.label_dropout=0", "experts.unconditional"),
      ("evaluation.guidance=0.5", "evaluation.guidance is 0.5; it must be a number of at least 1"),
      ("evaluation.guidance_interval=[0.8, 0.1]", "such as [0.1, 0.8]"),
      ("evaluation.guidance_interval=[0.1, 1.5]", "evaluation.guidance_interval is [0.1, 1.5]"),
      ("evaluation.guidance_interval=0.5", "two times from 0 to 1"),
      ("evaluation.sampler=ddim", "the sampler 'ddim' does not fit"),
      ("losses.contrastve=1", "did you mean 'losses.contrastive'?"),
      ("model.hidden_size=65536", "smaller: training it needs more than"),
      ("data.format=folders", "must be absent for the format 'folders'; only 'idx' has files"),
      ("data.validation_labels=labels", "must be absent where data.validation names no file"),
      ("data.format=latents", "data.validation_share is 0.25; it must be absent for latents"),
    ])
  func refusals(setting: String, expected: String) throws {
    let out = folder.file("refused")
    #expect {
      _ = try TrainingRun(configuration([setting]), in: out, resumes: false)
    } throws: {
      "\($0)".contains(expected)
    }
  }
}
