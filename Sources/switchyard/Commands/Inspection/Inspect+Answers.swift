import ArgumentParser
import MoECore
import MoEEvaluation
import MoEModels
import MoEPlacement
import MoEReport
import MoETokenizers
import MoETracing

/// What subjects have in common: how they refuse, print and describe.
extension Inspect {
  /// Refuses --against for what is not a trace.
  func refuseComparison() throws {
    guard against == nil else {
      throw ValidationError(
        "--against compares traces; record \(input.path) with 'switchyard trace' first.")
    }
  }

  /// Prints a report, and writes its page if one was asked for.
  func finish(_ report: some Encodable, text: String, page: Page) throws {
    if let html { try page.writeInspection(to: html.path) }
    if json { return try Output.json(report) }
    Output.line(text)
    if let html { Output.line("\nfigures in \(html.path)") }
  }

  /// Shows the routing of a trace or of counts.
  func show(_ source: RoutingSource, _ tokenizer: Tokenizer?) throws {
    let inspection = try RoutingInspection(
      source, classes: tokenizer.map { try TokenClasses($0) }, devices: devices)
    let page = InspectionPage(
      inspection.report, advice: inspection.placement, layers: layers?.layers
    ).page
    try finish(
      inspection, text: InspectionText(inspection.report, inspection.placement).text, page: page)
  }

  /// Describes a model as 'switchyard info' does, where there is nothing to show it.
  ///
  /// - Parameters:
  ///   - location: The model.
  ///   - what: What it would have to be shown, and the option that names it.
  ///   - hint: What people are told to do next.
  /// - Throws: What reading the model throws.
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
