import ArgumentParser
import Foundation
import MoETensor
import SystemPackage

@main
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure Switchyard beside other software doing the same work.",
    discussion: "Both sides run in turn; the table shows medians over all rounds.")

  @Option(help: "Python interpreter with the packages of peers/requirements.txt.") var python:
    String
  @Option(help: "Folder of the peers' scripts.") var peers: String
  @Option(help: "Rounds of both sides.") var rounds = 7
  @Option(help: "Threads of each side.") var threads = 2
  @Option(help: "Only comparisons whose titles contain this.") var only = ""

  func run() throws {
    Engine.threadCount = threads
    let folder = FilePath(NSTemporaryDirectory()).appending("switchyard-bench-\(getpid())")
    try FileManager.default.createDirectory(
      atPath: folder.string, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }

    let path = try CheckpointComparisons.makeFile(in: folder)
    let peer = try Peer(python: python, script: peers + "/torch_peer.py")
    print(
      "Switchyard on libtorch \(Engine.version) (\(Engine.kernelInstructionSet)); peer: \(peer.name)."
    )
    print("\(Machine.description); \(threads) threads each, \(rounds) rounds in turn, medians.\n")
    print(ComparisonResult.head)
    let chosen = (EngineComparisons.all + CheckpointComparisons.all(path))
      .filter { only.isEmpty || $0.title.contains(only) }
    for comparison in chosen {
      let result = try ComparisonResult(
        comparison, peer: peer, rounds: rounds, threads: threads, path: path.string)
      print(result.row)
    }
  }
}

/// The machine in words.
enum Machine {
  static var description: String {
    let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let model =
      info.split(separator: "\n").first { $0.hasPrefix("model name") }?
      .split(separator: ":").last?.trimmingCharacters(in: .whitespaces) ?? "unknown processor"
    let memory = ProcessInfo.processInfo.physicalMemory / 1_000_000_000
    return "\(model), \(ProcessInfo.processInfo.activeProcessorCount) cores, \(memory) GB"
  }
}
