import ArgumentParser

struct Checkpoint: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look at the tensors of a safetensors checkpoint, or write them again.",
    subcommands: [CheckpointList.self, CheckpointRewrite.self])
}
