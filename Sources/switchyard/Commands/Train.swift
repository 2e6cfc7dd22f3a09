import ArgumentParser
import Foundation
import MoECore
import MoEPlacement
import MoETensor
import MoETraining
import SystemPackage

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a language model, an image model or a classifier.",
    discussion: """
      CONFIG is one JSON file that names the model, the data and the settings; Examples/ holds \
      some, and Documentation/training.md explains every key. A minimal one, for a language model:

        {"model": {"hidden_size": 128, "num_hidden_layers": 4,
           "num_attention_heads": 4, "rms_norm_eps": 1e-5,
           "rope_theta": 10000, "hidden_act": "silu",
           "num_experts": 8, "expert_size": 128,
           "router": {"type": "token_choice", "k": 2, "renormalize": true}},
         "tokenizer": {"size": 2048},
         "data": {"train": "book.txt", "validation_share": 0.05,
           "context": 128},
         "training": {"steps": 1000, "batch_size": 8},
         "optimizer": {"learning_rate": 2e-3},
         "losses": {"balance": 0.01}}

      The folder of --out then holds model/ (open it with 'switchyard generate'), metrics.csv, routing.csv, \
      evaluation.csv, tensorboard/, checkpoints/ and run.json. Ctrl-C writes a checkpoint and ends; --resume \
      continues with the same losses, bit for bit, as if nothing had happened, even after a crash.

      Examples:
        switchyard train Examples/tiny-bible.json --out runs/tiny
        switchyard train my.json --set data.train=book.txt --steps 500
        switchyard train Examples/tiny-bible.json --out runs/tiny --resume
      """)

  @Argument(help: "The configuration, a JSON file.", completion: .file()) var config: PathArgument
  @Option(
    help: "Folder for everything that is written (default: runs/ and the name of CONFIG).",
    completion: .directory) var out: PathArgument?
  @Flag(help: "Continue the run in the folder from its newest checkpoint.") var resume = false
  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Change a key of the configuration; may be given several times.", valueName: "key=value"))
  var settings: [String] = []
  @Option(help: "The same as --set training.steps=N.") var steps: Int?
  @Option(help: "The same as --set training.seed=S.") var seed: Int?
  @Option(help: "Where to compute: cpu, cuda, cuda:1, mps.", transform: device)
  var device: Device = .cpu
  @OptionGroup var engine: EngineOptions

  func validate() throws {
    for setting in settings where !setting.contains("=") || setting.hasPrefix("=") {
      throw ValidationError("--set is '\(setting)'; it must be key=value.")
    }
    guard steps ?? 1 >= 1 else {
      throw ValidationError("--steps is \(steps ?? 0); it must be at least 1.")
    }
  }

  func run() throws {
    switch try train() {
    case .finished(let model): Output.line("\(model)")
    case .stopped:
      Output.message("continue with: \(command)".printable)
      Interruption.endAsRequested()
    }
  }

  /// Trains until the run is complete or a signal stops it.
  func train() throws -> TrainingOutcome {
    engine.apply()
    var settings = settings
    if let steps { settings.append("training.steps=\(steps)") }
    if let seed { settings.append("training.seed=\(seed)") }
    let configuration = try SettingError.renaming(["setting": "--set"]) {
      try TrainingConfiguration(config.path, settings: settings)
    }
    let preparation = ProgressLine()
    defer { preparation.end() }
    let run = try TrainingRun(
      configuration, in: folder, resumes: resume, device: device,
      versions: ["switchyard": VersionReport.version, "libtorch": Engine.version],
      progress: preparation.show)
    preparation.end()
    let display = TrainingDisplay(run)
    display.begin()
    Interruption.deferFirst()
    let outcome: TrainingOutcome
    do {
      outcome = try run.run(
        shouldStop: { Interruption.isRequested }, observer: display.show)
    } catch {
      display.end()
      throw error
    }
    display.end()
    if case .stopped(let checkpoint, let step) = outcome {
      display.message("stopped after step \(step); the state is in \(checkpoint)")
    }
    return outcome
  }

  private var folder: FilePath {
    out?.path ?? FilePath("runs").appending(config.path.stem ?? "run")
  }

  /// The command that continues this run.
  private var command: String {
    var words = ["switchyard", "train", config.path.string, "--out", folder.string, "--resume"]
    for setting in settings { words += ["--set", setting] }
    if let steps { words += ["--steps", "\(steps)"] }
    if let seed { words += ["--seed", "\(seed)"] }
    if let threads = engine.threads { words += ["--threads", "\(threads)"] }
    if device != .cpu { words += ["--device", "\(device)"] }
    return ShellText.line(words)
  }

  private static func device(_ text: String) throws -> Device {
    guard let device = Device(parsing: text) else {
      throw ValidationError("--device is '\(text)'; it must be cpu, cuda, cuda:N or mps.")
    }
    return device
  }
}
