import Foundation
import SystemPackage
import Testing

/// The built program, run as its user would.
enum Program {
  struct Run {
    var exitCode: Int32
    var output: String
    var errors: String
  }

  /// Programs are built next to the tests.
  static let folder: URL = {
    let tests = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    return tests.deletingLastPathComponent()
  }()

  /// Runs the program with the given arguments until it ends; it gets no input.
  static func run(_ arguments: String...) throws -> Run { try run(arguments) }

  /// Runs the program with a list of arguments.
  ///
  /// - Parameters:
  ///   - arguments: The arguments.
  ///   - name: The program, or a snippet.
  ///   - path: A file to redirect its output to, if it is not needed.
  ///   - folder: Where it runs; `nil` for the current directory.
  ///   - columns: Width of the lines of its help; `nil` for the default.
  ///   - environment: Variables that it gets in addition.
  ///   - input: What it reads from standard input; `nil` for nothing. Shorter than a pipe's buffer.
  /// - Returns: Its exit code and output.
  /// - Throws: When it cannot be started.
  static func run(
    _ arguments: [String], named name: String = "switchyard", output path: String? = nil,
    in folder: FilePath? = nil, columns: Int? = nil, environment: [String: String] = [:],
    input: String? = nil
  ) throws -> Run {
    let process = prepared(arguments, named: name)
    if let input {
      let pipe = Pipe()
      process.standardInput = pipe
      try pipe.fileHandleForWriting.write(contentsOf: Data(input.utf8))
      try pipe.fileHandleForWriting.close()
    }
    if let folder { process.currentDirectoryURL = URL(filePath: folder.string) }
    process.environment = ProcessInfo.processInfo.environment
      .merging(columns.map { ["COLUMNS": "\($0)"] } ?? [:]) { $1 }
      .merging(environment) { $1 }
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput =
      try path.map { try FileHandle(forWritingTo: URL(filePath: $0)) } ?? output
    process.standardError = errors
    try process.run()
    if path != nil { try output.fileHandleForWriting.close() }
    // The error text of every test is far shorter than a pipe's buffer, so reading in turn is safe.
    let outputData = try output.fileHandleForReading.readToEnd() ?? Data()
    let errorData = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return Run(
      exitCode: process.terminationStatus, output: String(decoding: outputData, as: UTF8.self),
      errors: String(decoding: errorData, as: UTF8.self))
  }

  /// Runs a line of the shell, in which `$0` is the program.
  static func shell(_ line: String, in folder: FilePath) throws -> Run {
    try run(
      ["-c", line, self.folder.appending(path: "switchyard").path()], named: "/bin/sh", in: folder)
  }

  /// Starts the program and leaves it running.
  static func start(_ arguments: String...) throws -> Process { try start(arguments) }

  /// Starts the program with a list of arguments and leaves it running.
  static func start(_ arguments: [String]) throws -> Process {
    let process = prepared(arguments)
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    return process
  }

  private static func prepared(_ arguments: [String], named name: String = "switchyard") -> Process
  {
    let process = Process()
    process.executableURL = name.hasPrefix("/") ? URL(filePath: name) : folder.appending(path: name)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    return process
  }
}
