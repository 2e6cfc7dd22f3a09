import Foundation
import Testing

/// The built program, run as its user would.
enum Program {
  struct Run {
    var exitCode: Int32
    var output: String
    var errors: String
  }

  /// The program lies beside the tests.
  private static let executable: URL = {
    let tests = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    return tests.deletingLastPathComponent().appending(path: "switchyard")
  }()

  /// Runs the program with the given arguments until it ends; it gets no input.
  static func run(_ arguments: String...) throws -> Run { try run(arguments) }

  /// Runs the program with a list of arguments.
  static func run(_ arguments: [String]) throws -> Run {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    let (output, errors) = (Pipe(), Pipe())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // The error text of every test is far shorter than a pipe's buffer, so reading in turn is safe.
    let outputData = try output.fileHandleForReading.readToEnd() ?? Data()
    let errorData = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return Run(
      exitCode: process.terminationStatus, output: String(decoding: outputData, as: UTF8.self),
      errors: String(decoding: errorData, as: UTF8.self))
  }
}
