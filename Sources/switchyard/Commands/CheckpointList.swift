import ArgumentParser
import Foundation
import MoECore
import MoEModels
import SystemPackage

struct CheckpointList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List names, types, shapes and sizes of all tensors.",
    discussion: """
      Every file is checked in full against the rules of the format before anything is printed: \
      offsets, sizes, overlaps, holes, duplicate names, and that index and shards agree.

      Examples:
        switchyard checkpoint list Data/bible-moe
        switchyard checkpoint list model.safetensors --json
      """)

  @Argument(
    help:
      "A .safetensors file, an .index.json file, or the folder of a model or of its training run.",
    completion: .file()) var path: PathArgument
  @Flag(help: "Print one JSON object instead of a table.") var json = false

  func run() throws {
    Output.warn(ofFilesAt: path.path)
    let checkpoint = try SafetensorsCheckpoint(ModelLocation.tensors(path.path))
    let report = CheckpointReport(checkpoint)
    if json { try Output.json(report) } else { Output.line(report.table) }
  }
}

/// The output of `checkpoint list`.
private struct CheckpointReport: Encodable {
  struct Entry: Encodable {
    var name: String
    var dtype: String
    var shape: [Int]
    var bytes: Int
    var file: String
  }

  var tensors: [Entry]
  var parameters: Int
  var bytes: Int
  var files: Int
  var metadata: [String: String]

  init(_ checkpoint: SafetensorsCheckpoint) {
    tensors = checkpoint.shards.flatMap { shard in
      shard.header.entries.map { entry in
        Entry(
          name: entry.name, dtype: entry.dtype.rawValue, shape: entry.shape,
          bytes: entry.range.count, file: shard.path.lastComponent?.string ?? "")
      }
    }
    parameters = checkpoint.entries.reduce(0) { $0 + $1.count }
    bytes = tensors.reduce(0) { $0 + $1.bytes }
    files = checkpoint.shards.count
    metadata = checkpoint.shards.reduce(into: [:]) {
      $0.merge($1.header.metadata) { first, _ in first }
    }
  }

  var table: String {
    let rows = tensors.map {
      [$0.name.printable, $0.dtype, "\($0.shape)", ByteCount($0.bytes).description]
    }
    let text = TextTable(header: ["tensor", "type", "shape", "size"], rows: rows).text
    let noun = files == 1 ? "file" : "files"
    return text
      + "\n\(counted(tensors.count, "tensor")), \(parameters) elements, \(ByteCount(bytes)) in \(files) \(noun)"
  }
}
