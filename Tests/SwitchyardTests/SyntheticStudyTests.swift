import Foundation
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// The last acceptance check of Hecto, as far as it is met: see "The synthetic task" in
/// Documentation/hecto.md.
@Suite("The synthetic task with a transformer", .serialized)
struct SyntheticStudyTests {
  /// Means of three seeds are noisy, and other kernels round differently, so only the kernels of
  /// the page are tested.
  private static let hasKernels =
    Engine.kernelInstructionSet == "AVX512" && Engine.kernelVersion.name == "avx512bf16"

  @Test(
    "divides texts by type with experts of different kinds, but not with two feed-forward ones",
    .enabled(if: hasKernels, "its seeds were chosen with AVX-512 kernels"))
  func division() throws {
    let hecto = try meanInformation(#"["ff", "gru"]"#)
    let forward = try meanInformation(#"["ff", "ff"]"#)
    #expect(hecto > 0.4 && hecto - forward >= 0.3, "\(hecto) and \(forward) bits")
  }

  /// Bits that the expert tells about the type of text, the mean of seeds 0 to 2.
  private func meanInformation(_ experts: String) throws -> Double {
    let folder = try TemporaryFolder()
    let example = Fixtures.package.appending("Examples/hecto-synthetic.json")
    let found = try (0..<3).map { seed in
      let out = folder.file("\(seed)")
      let run = try Program.run(
        "train", example.string, "--out", out.string, "--threads", "1", "--seed", "\(seed)",
        "--set", "head.experts=\(experts)", "--set", "evaluation.every=1500")
      try #require(run.exitCode == 0, "\(run.errors)")
      let table = String(
        decoding: try readBytes(out.appending("evaluation.csv")), as: UTF8.self
      ).split(separator: "\n").map { $0.split(separator: ",") }
      let column = try #require(table[0].firstIndex(of: "kind_information"))
      return try #require(Double(table[table.count - 1][column]))
    }
    return found.reduce(0, +) / 3
  }
}
