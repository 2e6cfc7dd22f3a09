import Foundation
import MoECore
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@Suite("The doctor")
struct DoctorTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("prints a fingerprint: one for each version of the kernels, whatever the threads")
  func fingerprint() throws {
    func found(_ environment: [String: String]) throws -> Substring {
      let run = try Program.run(["doctor", "--check", "kernels"], environment: environment)
      #expect(run.exitCode == 0, "\(run)")
      let value = run.output.split(separator: "fingerprint ").last?.prefix { $0.isHexDigit } ?? ""
      #expect(value.count == 16, "\(run.output)")
      return value
    }
    let usual = try found([:])
    #expect(try found(["OMP_NUM_THREADS": "1"]) == usual)
    #expect(usual == Engine.fingerprint)
    let versions = try KernelVersion.available.map { try found(["SWITCHYARD_KERNELS": $0.name]) }
    #expect(Set(versions).count == versions.count && versions.contains(usual))
  }

  @Test(
    "leaves nothing in the temporary folder, and checks ranks without it where it cannot be written to"
  )
  func temporaryFiles() throws {
    let run = try Program.run(["doctor"], environment: ["TMPDIR": folder.path.string])
    #expect(run.exitCode == 0, "\(run.output)")
    #expect(try folder.contents() == [])

    let missing = folder.file("missing").string
    let failed = try Program.run(["doctor"], environment: ["TMPDIR": missing])
    #expect(
      failed.exitCode == 1 && failed.output.contains("no folder can be created in \(missing)"))
    #expect(failed.output.contains("to fix: ") && folder.file("missing").isMissing)
  }

  @Test(
    "follows no links that others put under names of earlier processes",
    .enabled(if: FileManager.default.fileExists(atPath: "/proc/self"), "needs /proc"))
  func links() throws {
    let precious = try folder.write(Array("precious".utf8), to: "precious")
    let shared = folder.file("shared")
    try FileManager.default.createDirectory(
      atPath: shared.string, withIntermediateDirectories: false)
    // The next processes of this machine, whose numbers the names once had.
    let next = ProcessInfo.processInfo.processIdentifier
    for process in Int(next)...Int(next) + 3000 {
      try FileManager.default.createSymbolicLink(
        atPath: shared.appending("switchyard-doctor-\(process).safetensors").string,
        withDestinationPath: precious.string)
    }
    let run = try Program.run(
      ["doctor", "--check", "files"], environment: ["TMPDIR": shared.string])
    #expect(run.exitCode == 0, "\(run.errors)")
    #expect(try readBytes(precious) == Array("precious".utf8))
  }

  @Test(
    "opens no ports",
    .enabled(if: FileManager.default.fileExists(atPath: "/proc/net/tcp"), "needs /proc"))
  func ports() throws {
    let process = try Program.start("doctor")
    var seen: Set<String> = []
    var processes: Set<Int32> = []
    while process.isRunning {
      let family = Sockets.descendants(of: process.processIdentifier)
      processes.formUnion(family)
      seen.formUnion(Sockets.listening(in: family))
    }
    #expect(process.terminationStatus == 0)
    #expect(processes.count > 3, "no checks were seen at work")
    #expect(seen.isEmpty, "\(seen)")
  }

  @Test("says which libraries are not the pinned ones, in an installed tree")
  func origins() throws {
    let installed = try InstalledTree(in: folder)
    try FileManager.default.createDirectory(
      atPath: installed.share.string, withIntermediateDirectories: true)
    let lines = """
      torch-9-cp311.whl, SHA-256 00, not checked: SWITCHYARD_TORCH=torch==9
      highspy-1-cp311.whl, SHA-256 11, as pinned

      """
    try AtomicFile.write(lines, to: installed.share.appending("libraries.txt"))
    let torch = try installed.run(["doctor", "--check", "libtorch"])
    #expect(torch.contains("not checked: SWITCHYARD_TORCH=torch==9"), "\(torch)")
    let highs = try installed.run(["doctor", "--check", "HiGHS"])
    #expect(highs.contains("knapsack") && !highs.contains("highspy"), "\(highs)")
  }

  @Test("the demo finds the data that were installed with the program")
  func installedData() throws {
    let installed = try InstalledTree(in: folder)
    let sample = installed.share.appending("Data").appending("bible-moe")
    try FileManager.default.createDirectory(
      atPath: sample.string, withIntermediateDirectories: true)
    try AtomicFile.write("{}", to: sample.appending("config.json"))
    // Enough to be found, and not enough to run.
    let message = try installed.run(["demo", "--out", folder.file("out").string])
    #expect(message.contains("\(installed.share)/Data/bible does not exist"), "\(message)")
  }
}

/// A program in `bin` of a tree, with its libraries beside it.
private struct InstalledTree {
  let share: FilePath
  private let program: FilePath

  init(in folder: TemporaryFolder) throws {
    let files = FileManager.default
    // Links are resolved as the program resolves them.
    let root = URL(filePath: folder.path.string).resolvingSymlinksInPath().path
    let bin = FilePath(root).appending("bin")
    try files.createDirectory(atPath: bin.string, withIntermediateDirectories: true)
    for name in try files.contentsOfDirectory(atPath: Program.folder.path)
    where name.hasPrefix("lib") {
      try files.createSymbolicLink(
        atPath: bin.appending(name).string,
        withDestinationPath: Program.folder.appending(path: name).resolvingSymlinksInPath().path)
    }
    program = bin.appending("switchyard")
    try files.copyItem(
      atPath: Program.folder.appending(path: "switchyard").path, toPath: program.string)
    share = FilePath(root).appending("share").appending("switchyard")
  }

  /// What the program prints, outside of the folder of sources.
  func run(_ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: program.string)
    process.arguments = arguments
    process.currentDirectoryURL = URL(filePath: share.removingLastComponent().string)
    let output = Pipe()
    (process.standardOutput, process.standardError) = (output, output)
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self)
  }
}

/// What Linux tells about processes and their sockets.
private enum Sockets {
  /// A process and all those that it started.
  static func descendants(of process: Int32) -> Set<Int32> {
    var result: Set = [process]
    let numbers = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [])
      .compactMap { Int32($0) }.sorted()
    let parents = numbers.compactMap { number in
      parent(of: number).map { (process: number, parent: $0) }
    }
    var count = 0
    while count < result.count {
      count = result.count
      for pair in parents where result.contains(pair.parent) { result.insert(pair.process) }
    }
    return result
  }

  private static func parent(of process: Int32) -> Int32? {
    let line = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
    // The name in parentheses may hold spaces.
    return line?.split(separator: ")").last?.split(separator: " ").dropFirst().first
      .flatMap { Int32($0) }
  }

  /// The addresses that processes listen on, as the kernel writes them.
  static func listening(in processes: Set<Int32>) -> Set<String> {
    let files = FileManager.default
    var own: Set<String> = []
    for process in processes {
      let folder = "/proc/\(process)/fd"
      for name in (try? files.contentsOfDirectory(atPath: folder)) ?? [] {
        let target = (try? files.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")) ?? ""
        if target.hasPrefix("socket:[") { own.insert(String(target.dropFirst(8).dropLast())) }
      }
    }
    guard !own.isEmpty else { return [] }
    var result: Set<String> = []
    for table in ["tcp", "tcp6"] {
      let text = (try? String(contentsOfFile: "/proc/net/\(table)", encoding: .utf8)) ?? ""
      for line in text.split(separator: "\n").dropFirst() {
        let fields = line.split(separator: " ")
        // State 0A is LISTEN; the tenth field is the inode.
        if fields.count > 9, fields[3] == "0A", own.contains(String(fields[9])) {
          result.insert(String(fields[1]))
        }
      }
    }
    return result
  }
}
