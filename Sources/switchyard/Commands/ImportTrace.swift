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

      Layers that hold only padding, such as the zeros of dense layers in vLLM's arrays, are left out. With --layers, the \
      layers of the file that are named are kept, or all of them get these numbers. Files of one recording, such as one \
      per rank, are joined to one trace.

      Examples:
        switchyard import-trace recorder.pt --out served.safetensors
        switchyard import-trace rank-0.pt rank-1.pt --out served.safetensors
        switchyard import-trace experts.npy --weights weights.npy --layers 1-26 --experts 64 --out trace.safetensors
      """)

  @Argument(help: "File to import.", completion: .file()) var input: PathArgument
  @Argument(help: "More files of the same recording.", completion: .file())
  var others: [PathArgument] = []
  @Option(help: "Trace to write.", completion: .file(extensions: ["safetensors"])) var out:
    PathArgument
  @Option(help: "Format (default: by the file's name and content).") var format: TraceImporter?
  @Option(help: "Experts per layer (default: from the file, or the largest index plus 1).")
  var experts: Int?
  @Option(help: "Experts per token, for llamacpp and esft (default: what fits the file).")
  var k: Int?
  @Option(
    help: "Indices of the sparse layers in the model, as 1-26 or 1,2,3 (default: from the file).")
  var layers: LayerList?
  @Option(help: ".npy file with a weight per choice, for .npy files.") var weights: PathArgument?
  @Option(help: ".npy file with the length of each sequence, for .npy files.")
  var sequenceLengths: PathArgument?
  @Option(help: "Name of the model.") var model: String?

  @OptionGroup var files: OverwriteOption

  func validate() throws {
    guard experts ?? 1 >= 1, k ?? 1 >= 1 else {
      throw ValidationError("--experts and --k must be at least 1.")
    }
  }

  func run() throws {
    try files.check(
      out.path,
      inputs: [input.path, weights?.path, sequenceLengths?.path] + others.map(\.path))
    var options = TraceImport.Options()
    (options.experts, options.k, options.model) = (experts, k, model)
    options.layers = layers?.layers
    (options.weights, options.sequenceLengths) = (weights?.path, sequenceLengths?.path)
    let notes = try TraceImport(
      input.path, joining: others.map(\.path), with: format, options: options
    ).write(to: out.path)
    let trace = try RoutingTrace(out.path)
    let header = trace.header
    Output.line(
      "\(counted(trace.tokenCount, "token")) in \(counted(trace.sequenceStarts.count, "sequence")), \(counted(header.layers.count, "layer")), top-\(header.k) of \(counted(header.experts, "expert")), in \(out.path)"
    )
    for note in notes { Output.line(note.text) }
  }
}

extension TraceImport.Note {
  /// The note, and the option that changes it.
  fileprivate var text: String {
    switch self {
    case .layersLeftOut(let layers):
      "\(Self.names(layers)) without choices, as dense ones, left out"
    case .tokensWithoutChoices(let count):
      "\(counted(count, "token")) without choices: padding"
    case .expertsAssumed(let count):
      "\(counted(count, "expert")) per layer by the largest index; --experts gives the model's number"
    case .slotsAssumed(let k):
      "\(counted(k, "expert")) per token, the most that fit the file; --k gives the model's number"
    case .constantLayers(let layers):
      "\(Self.names(layers)) with one expert for all tokens; if dense, name the others with --layers"
    }
  }

  private static func names(_ layers: [Int]) -> String {
    "\(layers.count == 1 ? "layer" : "layers") \(LayerList(layers).text)"
  }
}

extension TraceImporter: RegistryArgument {
  static var registry: Registry<TraceImporter> { TraceImporters.registry }
}
