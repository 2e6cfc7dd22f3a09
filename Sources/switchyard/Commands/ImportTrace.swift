import ArgumentParser
import MoECore
public import MoETracing
import SystemPackage

struct ImportTrace: WritesFiles {
  static let configuration = CommandConfiguration(
    commandName: "import-trace",
    abstract: "Convert another tool's record of routing to the trace format.",
    discussion: """
      Nothing in a .pt file is executed. Files that hold only counts need no import: 'switchyard inspect' reads them.

      Examples:
        switchyard import-trace recorder.pt --out served.safetensors
        switchyard import-trace experts.npy --weights weights.npy --layers 1,2,3 --out trace.safetensors
      """)

  @Argument(help: "File to import.", completion: .file()) var input: PathArgument
  @Option(help: "Trace to write.", completion: .file(extensions: ["safetensors"])) var out:
    PathArgument
  @Option(help: "Format (default: by the file's name).") var format: TraceImporter?
  @Option(help: "Experts per layer (default: the largest index plus 1).") var experts: Int?
  @Option(help: "Experts per token, for llamacpp (default: the shortest run of a layer).")
  var k: Int?
  @Option(help: "Indices of the sparse layers in the model, as 1,2,3 (default: from the file).")
  var layers: String?
  @Option(help: ".npy file with a weight per choice, for .npy files.") var weights: PathArgument?
  @Option(help: ".npy file with the length of each sequence, for .npy files.")
  var sequenceLengths: PathArgument?
  @Option(help: "Name of the model.") var model: String?

  @OptionGroup var files: OverwriteOption

  func validate() throws {
    guard experts ?? 1 >= 1, k ?? 1 >= 1 else {
      throw ValidationError("--experts and --k must be at least 1.")
    }
    guard layers == nil || places != nil else {
      throw ValidationError("--layers must list numbers, as 1,2,3.")
    }
  }

  private var places: [Int]? {
    guard let layers else { return nil }
    let numbers = layers.split(separator: ",").map { Int($0) }
    return numbers.contains(nil) ? nil : numbers.compactMap { $0 }
  }

  func run() throws {
    try files.check(out.path, inputs: [input.path, weights?.path, sequenceLengths?.path])
    var options = TraceImport.Options()
    (options.experts, options.k, options.layers, options.model) = (experts, k, places, model)
    (options.weights, options.sequenceLengths) = (weights?.path, sequenceLengths?.path)
    try TraceImport(input.path, with: format, options: options).write(to: out.path)
    let trace = try RoutingTrace(out.path)
    Output.line(
      "\(trace.tokenCount) tokens in \(trace.sequenceStarts.count) sequences, \(trace.header.layers.count) layers, top-\(trace.header.k) of \(trace.header.experts) experts, in \(out.path)"
    )
  }
}

extension TraceImporter: RegistryArgument {
  static var registry: Registry<TraceImporter> { TraceImporters.registry }
}
