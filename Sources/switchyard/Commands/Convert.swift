import ArgumentParser
import MoECore
import MoEModels
import SystemPackage

struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn a PyTorch checkpoint of a diffusion transformer into a model folder.",
    discussion: """
      Reads .pt and .pth files as the code of ProMoE, DiffMoE and DiT saves them. Nothing in the \
      file is executed: only tensors, numbers, names and harmless values beside them are read, and \
      everything else is rejected by name. From a training checkpoint, the running average of the weights is taken, as for \
      making images; --trained takes the trained weights instead.

      The folder gets config.json and safetensors, which 'switchyard sample' and 'switchyard \
      train' open. The architecture is read from the tensors. What they do not show, such as \
      whether tokens or experts choose, is taken from the paper's models and printed; --config \
      names a config.json to use instead.

      Example:
        switchyard convert ProMoE-B.pth --out promoe-b/
      """)

  @Argument(help: "The file.", completion: .file(extensions: ["pt", "pth"])) var file: PathArgument
  @Option(help: "A new folder for the result.", completion: .directory) var out: PathArgument
  @Option(
    help: "Architecture: a config.json, or the folder of a model (default: what the tensors show).")
  var config: PathArgument?
  @Flag(help: "Take the trained weights instead of their running average.") var trained = false

  func run() throws {
    let dictionary = try DiffusionStateDictionary(file.path, trained ? .trained : .average)
    let known = try config.map { given in
      let path = given.path.isDirectory ? try ModelLocation(given.path).path : given.path
      return try DiffusionConfiguration(
        ConfigurationObject(path.isDirectory ? path.appending("config.json") : path))
    }
    let line = ProgressLine()
    defer { line.end() }
    let guess = try known == nil ? dictionary.configuration() : nil
    let assumed = guess?.unseen ?? []
    let unused = try dictionary.write(to: out.path, as: known, progress: line.show)
    line.end()
    for name in unused.prefix(8) { Output.line("left out: \(name)") }
    if unused.count > 8 { Output.line("left out: \(unused.count - 8) more") }
    if !assumed.isEmpty {
      let values = assumed.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
      Output.line("assumed, because the file does not say it: \(values)")
    }
    if let doubt = guess.flatMap(dictionary.doubt) { Output.message("note: \(doubt)".printable) }
    Output.line("\(out.path)")
  }
}
