import ArgumentParser
import MoECore
import MoEModels
import MoETensor
import SystemPackage

struct CheckpointRewrite: WritesFiles {
  static let configuration = CommandConfiguration(
    commandName: "rewrite",
    abstract:
      "Write the tensors of a checkpoint again, in another type or in files of another size.",
    discussion: """
      The result appears whole or not at all, and no folder that exists is replaced. Tensors are read and \
      written one at a time, so the checkpoint may be larger than memory. The new folder of a model also \
      gets its config.json, which names the new type, its tokenizer and other small files, so that it \
      opens; a single file holds only the tensors.

      Examples:
        switchyard checkpoint rewrite Data/bible-moe --out bible-f32 --dtype f32
        switchyard checkpoint rewrite model/ --out one-file.safetensors
        switchyard checkpoint rewrite big.safetensors --out shards/ --shard-size 2GB
      """)

  @Argument(
    help:
      "A .safetensors file, an .index.json file, or the folder of a model or of its training run.",
    completion: .file()) var path: PathArgument
  @Option(
    help: "A new file, if the name ends in .safetensors, else a new folder.", completion: .file())
  var out: PathArgument
  @Option(help: "New type of all floating-point tensors (default: as they are).")
  var dtype: WeightType?
  @Option(
    help: "Of a folder: the most data in one file, unless a tensor alone is larger (default: 5GB).",
    transform: shardSize) var shardSize: ByteCount?
  @OptionGroup var files: OverwriteOption
  @OptionGroup var engine: EngineOptions

  func validate() throws {
    if shardSize != nil, out.path.extension == "safetensors" {
      throw ValidationError("--shard-size is for folders; --out names a single file.")
    }
  }

  func run() throws {
    engine.apply()
    if out.path.extension == "safetensors" { try files.check(out.path, inputs: [path.path]) }
    Output.warn(ofFilesAt: path.path)
    let progress = ProgressLine()
    defer { progress.end() }
    try ModelLocation.rewrite(
      path.path, to: out.path,
      as: .init(
        floatingPointType: dtype?.dtype, shardLimit: shardSize ?? ByteCount(5_000_000_000),
        replacesFile: files.overwrite),
      progress: progress.show)
  }

  static func shardSize(_ text: String) throws -> ByteCount {
    guard let size = ByteCount(parsing: text), size.bytes > 0 else {
      throw ValidationError(
        "--shard-size is '\(text)'; it must be an amount above 0 such as 500MB or 4GiB.")
    }
    return size
  }
}
