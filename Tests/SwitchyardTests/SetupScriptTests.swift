import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

/// Runs `Scripts/setup` in a folder of its own, with a wheel that has a pinned name and other contents.
@Suite(
  "Set-up",
  .enabled(
    if: Machine.canSetUp,
    "needs Linux with Python, pip and the libraries of Debian that set-up would install"))
struct SetupScriptTests {
  private let folder: TemporaryFolder
  private let file: String

  init() throws {
    folder = try TemporaryFolder()
    let scripts = folder.file("Scripts")
    try FileManager.default.createDirectory(
      atPath: scripts.string, withIntermediateDirectories: false)
    let setup = Fixtures.package.appending("Scripts").appending("setup")
    try FileManager.default.copyItem(
      atPath: setup.string, toPath: scripts.appending("setup").string)
    let system = try Machine.output("uname", "-sm").split(separator: " ").joined(separator: "-")
    let pin = try String(contentsOfFile: setup.string, encoding: .utf8).split(separator: "\n")
      .map { $0.split(separator: " ").map(String.init) }
      .first { $0.count == 4 && $0[0] == system && $0[1] == "highs" }
    file = try #require(pin).last ?? ""
    try makeWheel()
  }

  /// The smallest wheel that pip takes, without libraries.
  private func makeWheel() throws {
    let script = """
      import sys, zipfile
      path = sys.argv[1]
      name, version = path.split("/")[-1].split("-")[:2]
      with zipfile.ZipFile(path, "w") as wheel:
          info = f"{name}-{version}.dist-info/"
          wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
          wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\nTag: py3-none-any\\n")
          wheel.writestr(info + "RECORD", "")
      """
    let wheels = folder.file("wheels")
    try FileManager.default.createDirectory(
      atPath: wheels.string, withIntermediateDirectories: false)
    _ = try Machine.output("python3", "-c", script, wheels.appending(file).string)
  }

  private func setUp(_ more: [String: String] = [:]) throws -> Program.Run {
    let environment = ["SWITCHYARD_WHEELS": folder.file("wheels").string].merging(more) { $1 }
    return try Machine.run(["bash", folder.file("Scripts/setup").string], environment)
  }

  @Test("refuses a wheel whose contents are not the pinned ones, and leaves nothing of it")
  func refusal() throws {
    let run = try setUp()
    #expect(run.exitCode == 1 && run.output.isEmpty)
    #expect(run.errors.contains("\(file) has the SHA-256 "), "\(run.errors)")
    #expect(run.errors.contains(" is pinned; it was not used"), "\(run.errors)")
    #expect(run.errors.contains("SWITCHYARD_HIGHS=highspy=="), "\(run.errors)")
    for name in ["highs", "download-highs", "highs.partial"] {
      #expect(folder.file(".deps").appending(name).isMissing, "\(name)")
    }
  }

  @Test("takes what the environment names without that check")
  func override() throws {
    let run = try setUp(["SWITCHYARD_HIGHS": "highspy"])
    // It is unpacked, and then found to hold no library.
    #expect(run.exitCode == 1 && run.errors.contains("unpacking \(file)"), "\(run.errors)")
    #expect(!run.errors.contains("SHA-256"), "\(run.errors)")
  }
}

/// Commands of the machine.
private enum Machine {
  /// Whether set-up gets to its wheels without installing anything.
  static var canSetUp: Bool {
    #if os(Linux)
    let commands = [
      ["python3", "-m", "pip", "--version"], ["mpirun", "--version"],
      ["pkg-config", "--exists", "libpng", "libturbojpeg", "ompi-c"],
    ]
    return commands.allSatisfy { (try? run($0, [:]).exitCode) == 0 }
    #else
    return false
    #endif
  }

  static func output(_ words: String...) throws -> String {
    let run = try run(words, [:])
    try #require(run.exitCode == 0, "\(run.errors)")
    return run.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  static func run(_ words: [String], _ more: [String: String]) throws -> Program.Run {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = words
    process.environment = ProcessInfo.processInfo.environment.merging(more) { $1 }
    process.standardInput = FileHandle.nullDevice
    let (output, errors) = (Pipe(), Pipe())
    (process.standardOutput, process.standardError) = (output, errors)
    try process.run()
    let outputData = try output.fileHandleForReading.readToEnd() ?? Data()
    let errorData = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return Program.Run(
      exitCode: process.terminationStatus, output: String(decoding: outputData, as: UTF8.self),
      errors: String(decoding: errorData, as: UTF8.self))
  }
}
