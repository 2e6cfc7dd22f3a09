import ArgumentParser
import Foundation
import MoETensor
import SystemPackage

@main
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare Switchyard with other software doing the same work.",
    discussion: "Both sides take turns; the table shows medians over all rounds.")

  @Option(help: "Python interpreter with the packages of peers/requirements.txt.") var python:
    String
  @Option(help: "Folder of the peers' scripts.") var peers: String
  @Option(help: "Rounds per side.") var rounds = 7
  @Option(help: "Threads per side.") var threads = 2
  @Option(help: "Only comparisons whose titles contain this; may be given several times.")
  var only: [String] = []
  @Flag(help: "Run only Switchyard's side of language models, for profiling.") var alone = false
  @Option(help: "English text for the tokenizers.") var text = "Data/bible/law.txt"
  @Option(help: "Folder where models with random weights are created and kept for the next run.")
  var models: String?

  func run() throws {
    Engine.threadCount = threads
    Engine.keepFreedMemory()
    let folder = FilePath(NSTemporaryDirectory()).appending("switchyard-bench-\(getpid())")
    try FileManager.default.createDirectory(
      atPath: folder.string, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }

    print(Machine.software)
    print("\(Machine.description); \(threads) threads each, \(rounds) alternating rounds, medians.")
    try engine(folder)
    let linear = LinearComparisons.all().filter { isChosen($0.title) }
    if !linear.isEmpty { try measure(linear, with: "torch_peer.py", path: folder) }
    try tokenizers(folder)
    try classifiers(folder)
    let diffusion = try DiffusionComparisons.all().filter { isChosen($0.title) }
    if !diffusion.isEmpty { try measure(diffusion, with: "diffusion_peer.py", path: folder) }
    if isChosen("large model") { try LargeModel.measure(in: folder) }
    for work in ThreadMeasurements.Work.allCases where only.contains(work.title) {
      try ThreadMeasurements.measure(
        work, threads: threads, alone: alone, rounds: rounds,
        in: models.map { FilePath($0) } ?? folder)
    }
    if isChosen("placement") { try PlacementMeasurements.measure() }
    if isChosen("tracing: counting") { try TracingMeasurements.counting(in: folder) }
    if isChosen("tracing: recording") {
      let made = try DecoderComparisons.shapes.prefix(2).map {
        try DecoderComparisons.makeModel($0, in: models.map { FilePath($0) } ?? folder)
      }
      try TracingMeasurements.recording(
        made + [FilePath("Data/bible-moe")], rounds: rounds, in: folder)
    }
    // A dense model, on request: what texts gain together if they share all weights.
    let dense = only.contains { $0.hasSuffix(DecoderComparisons.dense.name) }
    for shape in DecoderComparisons.shapes + (dense ? [DecoderComparisons.dense] : [])
    where isChosen(shape.name) || only.contains(where: { $0.hasSuffix(shape.name) }) {
      try decoders(shape, folder)
    }
    try packed(folder)
    for shape in TrainingComparisons.shapes
    where isChosen("training step on 4×256 tokens, \(shape.name), f32") {
      let path = try DecoderComparisons.makeModel(shape, in: models.map { FilePath($0) } ?? folder)
      try measure(
        try TrainingComparisons.all(shape, path: path), with: "training_peer.py", path: path)
    }
  }

  private func isChosen(_ title: String) -> Bool {
    only.isEmpty || only.contains(where: title.contains)
  }

  private func engine(_ folder: FilePath) throws {
    let path = folder.appending("one-gigabyte.safetensors")
    let all = try EngineComparisons.all + CheckpointComparisons.all(path) + ExpertComparisons.all()
    let chosen = all.filter { isChosen($0.title) }
    guard !chosen.isEmpty else { return }
    try CheckpointComparisons.makeFile(at: path)
    try compare(chosen, with: "torch_peer.py", path: path)
    try FileManager.default.removeItem(atPath: path.string)
  }

  private func classifiers(_ folder: FilePath) throws {
    let names = ["classifier: fine-tuning", "classifier: one text", "classifier: recurrent units"]
    guard names.contains(where: isChosen) || only.contains("classifier") else { return }
    let path = folder.appending("encoder")
    try ClassifierComparisons.makeEncoder(at: path)
    let chosen = try ClassifierComparisons.all(path).filter { isChosen($0.title) }
    try measure(chosen, with: "classifier_peer.py", path: path)
    try FileManager.default.removeItem(atPath: path.string)
  }

  private func tokenizers(_ folder: FilePath) throws {
    guard isChosen("tokenizer") else { return }
    let path = folder.appending("text.txt")
    _ = try TokenizerComparisons.makeText(FilePath(text), at: path)
    try compare(try TokenizerComparisons.all(path), with: "tokenizers_peer.py", path: path)
    try FileManager.default.removeItem(atPath: path.string)
  }

  private func decoders(_ shape: DecoderComparisons.Shape, _ folder: FilePath) throws {
    let path = try DecoderComparisons.makeModel(shape, in: models.map { FilePath($0) } ?? folder)
    try measure(
      try DecoderComparisons.all(shape, path: path), with: "transformers_peer.py", path: path)
    if models == nil { try FileManager.default.removeItem(atPath: path.string) }
  }

  /// Packed weights, one form after another.
  private func packed(_ folder: FilePath) throws {
    guard only.contains(where: { $0.hasPrefix("packed") }) else { return }
    let path = try DecoderComparisons.makeModel(
      DecoderComparisons.shapes[2], in: models.map { FilePath($0) } ?? folder)
    for form in PackedComparisons.forms
    where ["prompt of 512 tokens", "one more token"].contains(where: {
      isChosen("packed: \($0), \(form.name)")
    }) {
      let chosen = try PackedComparisons.all(form, path: path).filter { isChosen($0.title) }
      try measure(chosen, with: "llama_peer.py", path: path)
    }
  }

  /// Compares with the peer, or runs alone for profiling.
  private func measure(
    _ comparisons: [Comparison], with script: String, path: FilePath
  ) throws {
    if alone {
      for comparison in comparisons where isChosen(comparison.title) {
        let samples = try (0..<rounds).map { _ in try comparison.run(comparison.iterations).seconds
        }
        print("\(comparison.title): \(median(samples)) s")
      }
    } else {
      try compare(comparisons, with: script, path: path)
    }
  }

  private func compare(_ comparisons: [Comparison], with script: String, path: FilePath) throws {
    let peer = try Peer(python: python, script: peers + "/" + script)
    print("\nPeer: \(peer.name).\n\n\(ComparisonResult.head)")
    for comparison in comparisons {
      let result = try ComparisonResult(
        comparison, peer: peer, rounds: rounds, threads: threads, path: path.string)
      print(result.row)
    }
  }
}

/// A description of the machine.
enum Machine {
  /// Switchyard's kernels, libtorch's, and the instruction sets that they chose from.
  static var software: String {
    """
    Switchyard with \(Engine.kernelVersion.name) kernels, on libtorch \(Engine.version) \
    (\(Engine.kernelInstructionSet)); the processor has \
    \(Engine.processorFeatures.joined(separator: ", ")).
    """
  }

  static var description: String {
    let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let model =
      info.split(separator: "\n").first { $0.hasPrefix("model name") }?
      .split(separator: ":").last?.trimmingCharacters(in: .whitespaces) ?? "unknown processor"
    let memory = ProcessInfo.processInfo.physicalMemory / 1_000_000_000
    let cores = ProcessInfo.processInfo.activeProcessorCount
    return "\(model)\(generation(info)), \(cores) cores, \(memory) GB"
  }

  /// The generation of AMD's processors that do not say it in their name, or the family and model.
  private static func generation(_ info: String) -> String {
    func number(_ key: String) -> Int? {
      info.split(separator: "\n").first { $0.prefix { $0 != "\t" && $0 != ":" } == key }?
        .split(separator: ":").last.flatMap { Int($0.trimmingCharacters(in: .whitespaces)) }
    }
    guard let family = number("cpu family"), let model = number("model") else { return "" }
    switch family {
    case 26: return " (Zen 5)"
    case 25: return 16...31 ~= model || model >= 96 ? " (Zen 4)" : " (Zen 3)"
    default: return " (family \(family), model \(model))"
    }
  }
}
