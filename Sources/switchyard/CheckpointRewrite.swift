public import ArgumentParser
public import MoECore
import MoETensor
import SystemPackage

struct CheckpointRewrite: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rewrite",
    abstract:
      "Write the tensors of a checkpoint again, in another type or in files of another size.",
    discussion: """
      The result appears whole or not at all. Tensors are read and written one at a time, so the
      checkpoint may be larger than memory. Only tensors are written, not a model's configuration.

      Examples:
        switchyard checkpoint rewrite model/ --out model-bf16/ --dtype bf16
        switchyard checkpoint rewrite model/ --out one-file.safetensors
        switchyard checkpoint rewrite big.safetensors --out shards/ --shard-size 2GB
      """)

  @Argument(
    help: "A .safetensors file, an .index.json file, or a folder that holds a model.",
    completion: .file()) var path: String
  @Option(
    help: "A new file, if the name ends in .safetensors, else a new folder.", completion: .file())
  var out: String
  @Option(
    help: "New type of all floating-point tensors: f64, f32, bf16 or f16 (default: as they are).")
  var dtype: DType?
  @Option(help: "The most data in one file of a folder, for example 500MB or 4GiB.")
  var shardSize: ByteCount = ByteCount(5_000_000_000)

  func validate() throws {
    if let dtype, ![DType.f64, .f32, .bf16, .f16].contains(dtype) {
      throw ValidationError("--dtype is \(dtype); it must be f64, f32, bf16 or f16.")
    }
    guard shardSize.bytes > 0 else { throw ValidationError("--shard-size must be above 0.") }
  }

  func run() throws {
    let source = try SafetensorsCheckpoint(FilePath(path))
    let target = FilePath(out)
    let progress = ProgressLine()
    defer { progress.end() }
    try source.rewrite(
      to: target, as: .init(floatingPointType: dtype, shardLimit: shardSize),
      progress: progress.show)
  }
}

extension DType: ExpressibleByArgument {}

extension ByteCount: ExpressibleByArgument {
  /// Reads an amount such as `500MB`.
  public init?(argument: String) { self.init(parsing: argument) }
}
