import ArgumentParser
import MoECore
import MoEModels
import MoEReport
import MoETokenizers
import MoETracing
import SystemPackage

/// A trace, or a file of counts.
struct TraceSubject: InspectionSubject {
  private let command: Inspect
  private var path: FilePath { command.input.path }

  /// Accepts every file; folders are recognised by earlier subjects.
  init(_ command: Inspect) throws {
    self.command = command
    guard command.texts.text.isEmpty || path.isMissing || path.isDirectory else {
      throw ValidationError("--text is for models and training runs; \(path) is neither.")
    }
    guard !path.isMissing else { throw FileError.notFound(path) }
    if path.isDirectory { _ = try ModelLocation(path) }
  }

  func inspect() throws {
    if let against = command.against { return try compare(with: against.path) }
    let tokenizer = try command.tokenizer.map { try Tokenizer(ModelLocation.tokenizer($0.path)) }
    try command.show(
      RoutingSource(path, adding: command.others.map(\.path)), tokenizer)
  }

  private func compare(with other: FilePath) throws {
    let old = try RoutingSource(path, adding: command.others.map(\.path))
    let new = try RoutingSource(other)
    let names = [path, other].map { $0.lastComponent?.string ?? $0.string }
    let report = try DriftReport(
      from: old.counts(), to: new.counts(), names: (old: names[0], new: names[1]))
    try command.finish(report, text: report.text, page: DriftPage(report).page)
  }
}
