import ArgumentParser

struct Checkpoint: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look at the tensors of a safetensors checkpoint, or write them again.",
    discussion: """
      Example:
        switchyard checkpoint list Data/bible-moe
      """,
    subcommands: [CheckpointList.self, CheckpointRewrite.self])
}
