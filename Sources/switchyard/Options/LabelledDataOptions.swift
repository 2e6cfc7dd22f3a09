import ArgumentParser
import MoEData

/// Options of 'inspect' for models that predict classes or scores, or make images.
struct LabelledDataOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Labelled texts, for a model that predicts classes or scores; images by class, for one that makes images.",
      valueName: "path"), completion: .file()) var data: PathArgument?
  @Option(
    help: ArgumentHelp("For images in the format of MNIST: their labels.", valueName: "file"),
    completion: .file()) var labels: PathArgument?
  @Option(
    help: ArgumentHelp(
      "Format of --data: \(TextDataFormat.allCases.map(\.rawValue).joined(separator: ", ")) (default: by the model's classes).",
      valueName: "format"), transform: format)
  var format: TextDataFormat?
  @Option(help: "Texts to show per expert.") var examples = 3

  private static func format(_ text: String) throws -> TextDataFormat {
    guard let format = TextDataFormat(rawValue: text) else {
      let known = TextDataFormat.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("--format is '\(text)'; it must be one of \(known).")
    }
    return format
  }

  func validate() throws {
    guard 0...1_000 ~= examples else { throw ValidationError("--examples must be in 0…1000.") }
  }

  /// The images of ``data``, if there are any.
  var images: ImageFiles? { data.map { ImageFiles([$0.path], labels: labels?.path) } }
}
