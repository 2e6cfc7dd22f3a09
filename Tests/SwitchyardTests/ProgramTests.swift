import Foundation
import MoECore
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@Suite("The program")
struct ProgramTests {
  @Test(
    "explains itself and all its commands",
    arguments: [
      [], ["--help"], ["help", "doctor"], ["doctor", "--help"], ["checkpoint", "--help"],
      ["checkpoint", "list", "--help"], ["checkpoint", "rewrite", "--help"], ["train", "--help"],
      ["tokenizer", "tokens", "--help"],
    ])
  func help(arguments: [String]) throws {
    let run = try Program.run(arguments)
    #expect(run.exitCode == 0 && run.errors.isEmpty)
    #expect(run.output.contains("OVERVIEW") && run.output.contains("USAGE: switchyard"))
  }

  @Test("names the versions of its parts, the processor and the threads")
  func version() throws {
    let run = try Program.run("--version")
    #expect(run.exitCode == 0)
    for part in ["switchyard ", "libtorch ", "HiGHS ", "MPI ", "processor ", "threads "] {
      #expect(run.output.contains(part))
    }
    #expect(run.output.contains(Engine.version))
  }

  @Test("finds nothing wrong with this machine")
  func doctor() throws {
    let run = try Program.run("doctor")
    #expect(run.exitCode == 0, "\(run.output)")
    #expect(run.output.contains("Everything works.") && !run.output.contains("FAIL"))
    struct Check: Decodable {
      var name: String
      var passed: Bool
    }
    let json = try Program.run("doctor", "--json")
    let checks = try JSONDecoder().decode([Check].self, from: Data(json.output.utf8))
    let passed = checks.allSatisfy(\.passed)
    #expect(
      checks.map(\.name) == [
        "libtorch", "kernels", "gradients", "HiGHS", "MPI", "files", "devices",
      ])
    #expect(passed)
  }

  @Test(
    "answers wrong usage with exit code 64",
    arguments: [
      ["--nope"], ["nope"], ["genrate"], ["plan", "chek"], ["help", "genrate"],
      ["checkpoint", "list"], ["checkpoint", "rewrite", "x"],
      ["checkpoint", "rewrite", "x", "--out", "y", "--dtype", "i32"],
      ["checkpoint", "rewrite", "x", "--out", "y", "--dtype", "float"],
      ["checkpoint", "rewrite", "x", "--out", "y", "--shard-size", "many"],
      ["checkpoint", "rewrite", "x", "--out", "y", "--shard-size", "0"],
    ])
  func wrongUsage(arguments: [String]) throws {
    let run = try Program.run(arguments)
    #expect(run.exitCode == 64 && run.output.isEmpty)
    #expect(run.errors.hasPrefix("Error: "))
  }
}

@Suite("The checkpoint commands")
struct CheckpointCommandTests {
  private let folder: TemporaryFolder
  private let model: FilePath

  init() throws {
    folder = try TemporaryFolder()
    model = folder.file("model.safetensors")
    let tensors = ["a.weight": Tensor.ones([4, 3]), "b": Tensor([1, 2])]
    try SafetensorsFile.write(tensors, metadata: ["format": "pt"], to: model)
  }

  @Test("list tensors as a table and as JSON")
  func list() throws {
    let table = try Program.run("checkpoint", "list", model.string)
    #expect(
      table.output == """
        tensor    type  shape   size
        b         i64   [2]     16 B
        a.weight  f32   [4, 3]  48 B
        2 tensors, 14 elements, 64 B in 1 file

        """)
    struct Report: Decodable {
      struct Entry: Decodable {
        var name: String
        var dtype: String
        var shape: [Int]
      }
      var tensors: [Entry]
      var parameters: Int
      var metadata: [String: String]
    }
    // A model's folder can be used instead of its file.
    let json = try Program.run("checkpoint", "list", folder.path.string, "--json")
    let report = try JSONDecoder().decode(Report.self, from: Data(json.output.utf8))
    #expect(report.tensors.map(\.name) == ["b", "a.weight"] && report.tensors[1].shape == [4, 3])
    #expect(report.parameters == 14 && report.metadata == ["format": "pt"])
  }

  @Test("write tensors again in another type")
  func rewrite() throws {
    let out = folder.file("small.safetensors")
    let run = try Program.run(
      "checkpoint", "rewrite", model.string, "--out", out.string, "--dtype", "bf16")
    #expect(run.exitCode == 0 && run.errors.isEmpty)
    let weight = try SafetensorsFile(out).tensor(named: "a.weight")
    #expect(weight.dtype == .bf16 && weight.cast(to: .f32).sum().item() == 12 as Float)
  }

  @Test("answer bad input with one message and exit code 1, and leave nothing behind")
  func badInput() throws {
    let text = try folder.write(Array("No safetensors file, only a few words.".utf8), to: "text")
    let broken = try folder.write(Array(try readBytes(model).dropLast()), to: "broken")
    let before = try folder.contents()
    let none = folder.file("none").string
    let out = folder.file("out").string
    for (path, target, expected) in [
      (none, out, "does not exist"), (text.string, out, "not a safetensors file"),
      (broken.string, out, "cut short"), ("/dev/null", out, "not a regular file"),
      ("/", out, "holds neither"), (model.string, "/proc/out", "/proc/out"),
      (model.string, "/no/such/folder/out", "does not exist"),
      (model.string, "/no/such/folder/out.safetensors", "does not exist"),
      (model.string, folder.path.string, "already exists"),
      (model.string, model.string, "is read by this command"),
    ] {
      let run = try Program.run("checkpoint", "rewrite", path, "--out", target)
      #expect(run.exitCode == 1 && run.output.isEmpty, "\(path) → \(target)")
      #expect(run.errors.hasPrefix("Error: ") && run.errors.contains(expected), "\(run.errors)")
      #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    }
    #expect(try folder.contents() == before)
  }

  @Test(
    "survive a full disk", .enabled(if: SmallDisk.isPossible, "needs root to mount a small disk"))
  func fullDisk() throws {
    let disk = try SmallDisk(kilobytes: 64)
    let large = folder.file("large.safetensors")
    try SafetensorsFile.write(["w": Tensor.zeros([100_000])], to: large)
    for out in [disk.path.appending("out"), disk.path.appending("out.safetensors")] {
      let run = try Program.run("checkpoint", "rewrite", large.string, "--out", out.string)
      #expect(run.exitCode == 1 && run.errors.contains("no space is left"), "\(run.errors)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path.string).isEmpty)
    // The disk works as before.
    let run = try Program.run(
      "checkpoint", "rewrite", model.string, "--out", disk.path.appending("out").string)
    #expect(run.exitCode == 0, "\(run.errors)")
  }
}
