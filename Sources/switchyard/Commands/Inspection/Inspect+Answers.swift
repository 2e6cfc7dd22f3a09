import ArgumentParser
import MoECore
import MoEEvaluation
import MoEModels
import MoEPlacement
import MoEReport
import MoETokenizers
import MoETracing

/// What subjects have in common: how they reject options, print and describe.
extension Inspect {
  /// Rejects --against for inputs other than traces.
  func refuseComparison() throws {
    guard against == nil else {
      throw ValidationError(
        "--against compares traces; record \(input.path) with 'switchyard trace' first.")
    }
  }

  /// Prints a report, and writes its page if one was requested.
  ///
  /// A page of many experts takes seconds to draw, so it is made only when it is written.
  func finish(
    _ report: some Encodable, text: @autoclosure () -> String, page: @autoclosure () -> Page
  ) throws {
    if let html { try page().writeInspection(to: html.path) }
    if json { return try Output.json(report) }
    Output.line(text())
    if let html { Output.line("\nfigures in \(html.path)") }
  }

  /// Shows the routing of a trace or of a file of counts.
  func show(_ source: RoutingSource, _ tokenizer: Tokenizer?) throws {
    let line = ProgressLine()
    defer { line.end() }
    let inspection = try RoutingInspection(
      source, classes: tokenizer.map { try TokenClasses($0) }, devices: devices,
      progress: line.show)
    line.end()
    try finish(
      inspection, text: InspectionText(inspection.report, inspection.placement).text,
      page: InspectionPage(
        inspection.report, advice: inspection.placement, layers: layers?.layers
      ).page)
  }

  /// Describes a model as 'switchyard info' does, when there are no data to run it on.
  ///
  /// - Parameters:
  ///   - location: The model.
  ///   - what: The data that it needs, and the option that names them.
  ///   - hint: What the user is told to do next.
  /// - Throws: An error from reading the model.
  func describe(_ location: ModelLocation, needing what: String, hint: String? = nil) throws {
    guard html == nil else {
      throw ValidationError("a model has no routing without \(what) PATH.")
    }
    let summary = try location.summary()
    if json { return try Output.json(summary) }
    Output.line(summary.text)
    if let hint { Output.line(hint.printable) }
  }
}
