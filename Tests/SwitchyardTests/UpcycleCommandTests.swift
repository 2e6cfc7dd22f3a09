import Foundation
import MoEModels
import MoETestSupport
import SystemPackage
import Testing

@Suite("The upcycle command")
struct UpcycleCommandTests {
  private let folder: TemporaryFolder
  private let gguf = Fixtures.path("gguf").appending("llama.gguf").string

  init() throws { folder = try TemporaryFolder() }

  @Test("writes a model that other commands open, and says that outputs did not change")
  func works() throws {
    let out = folder.file("moe").string
    let run = try Program.run("upcycle", gguf, "--experts", "4", "--k", "2", "--out", out)
    #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
    #expect(run.output.contains("as before") && run.output.contains("switchyard_moe"))
    #expect(try Program.run("info", out).output.contains("4 per sparse layer, 2 per token"))
    func generate(_ model: String) throws -> String {
      try Program.run(
        "generate", model, "--prompt", "the", "--max-tokens", "12", "--temperature", "0"
      ).output
    }
    let text = try generate(out)
    #expect(try !text.isEmpty && text == generate(gguf))
    let json = try Program.run(
      "upcycle", gguf, "--experts", "4", "--k", "2", "--out", folder.file("2").string, "--json",
      "--noise", "0.1")
    let report = try JSONDecoder().decode(Upcycling.Report.self, from: Data(json.output.utf8))
    #expect(report.largestDifference > 0.01)
  }

  @Test("answers bad input with one message and the right exit code")
  func badInput() throws {
    let broken = try folder.write(Array("GGUF____".utf8), to: "broken.gguf").string
    let out = folder.file("out").string
    for (arguments, code, expected) in [
      ([gguf, "--experts", "4", "--k", "5", "--out", out], 64, "1…4"),
      ([gguf, "--experts", "4", "--k", "2", "--out", out, "--layers", "some"], 64, "every-N"),
      ([gguf, "--experts", "4", "--k", "2"], 64, "--out"),
      ([gguf, "--experts", "4", "--k", "2", "--out", folder.path.string], 1, "already exists"),
      (["/none", "--experts", "4", "--k", "2", "--out", out], 1, "does not exist"),
      ([broken, "--experts", "4", "--k", "2", "--out", out], 1, "version"),
    ] as [([String], Int32, String)] {
      let run = try Program.run(["upcycle"] + arguments)
      #expect(run.exitCode == code && run.output.isEmpty, "\(arguments): \(run.exitCode)")
      #expect(run.errors.hasPrefix("Error: ") && run.errors.contains(expected), "\(run.errors)")
      #expect(code == 64 || run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    }
    #expect(try folder.contents() == ["broken.gguf"])
  }
}
