import ArgumentParser
import MoECore
import SystemPackage

/// A command that writes files.
protocol WritesFiles: ParsableCommand {
  var files: OverwriteOption { get set }
}

/// The one rule for files that commands are told to write: what exists is replaced on request only.
///
/// Folders are never replaced; ``AtomicDirectory`` refuses them.
struct OverwriteOption: ParsableArguments {
  @Flag(help: "Replace files that exist; without it they are refused.") var overwrite = false

  /// Checks all files that a command will write, before it works on any.
  ///
  /// - Parameters:
  ///   - outputs: The files; those that are not asked for are `nil`.
  ///   - inputs: What the command reads.
  /// - Throws: `FileError`, with the option that helps.
  func check(_ outputs: FilePath?..., inputs: [FilePath?] = []) throws {
    try check(outputs, inputs: inputs)
  }

  /// The same for a list of files.
  func check(_ outputs: [FilePath?], inputs: [FilePath?] = []) throws {
    let inputs = inputs.compactMap(\.self).filter { $0 != StandardInput.name }
    // What is read matters more than what is written.
    for input in inputs where input.isMissing { throw FileError.notFound(input) }
    var written: Set<FilePath> = []
    for path in outputs.compactMap(\.self) {
      guard path != StandardInput.name else {
        throw ValidationError("'-' is no file; name one to write.")
      }
      try check(path, inputs: inputs)
      guard written.insert(path.identity).inserted else {
        throw ValidationError("\(path) is named for two outputs; choose different names.")
      }
    }
  }

  private func check(_ path: FilePath, inputs: [FilePath]) throws {
    do throws(FileError) {
      try AtomicFile.check(path, replaces: overwrite, inputs: inputs)
    } catch {
      guard error == .alreadyExists(path) else { throw error }
      throw HintedError(cause: error, hint: "--overwrite replaces it")
    }
  }
}
