import Foundation
package import MoECore
package import MoEModels
package import MoETensor
package import SystemPackage

/// The states of a frozen encoder for texts, in a memory-mapped file.
///
/// A safetensors file with `pooled` (f32, `[texts, width]`), `rows` (f16, `[tokens, width]`) and
/// `lengths` (i32). The states of single tokens are f16, because there are many: 11 bits are far
/// more than their reproducibility on other processors, and need half the disk space.
package final class EncodedStates {
  package let lengths: [Int]
  private let starts: [Int]
  private let pooled: Tensor
  private let rows: Tensor

  /// Opens the file of these texts.
  package init(_ path: FilePath, lengths: [Int]) throws {
    let file = try SafetensorsFile(path)
    pooled = try file.tensor(named: "pooled")
    rows = try file.tensor(named: "rows")
    let found = try file.tensor(named: "lengths").array(of: Int32.self).map { Int($0) }
    guard found == lengths, rows.size(0) == lengths.reduce(0, +), pooled.size(0) == lengths.count
    else {
      throw DataError.otherStates(path)
    }
    self.lengths = lengths
    var next = 0
    starts = lengths.map { length in
      defer { next += length }
      return next
    }
  }

  /// Both views of some texts, in the given order.
  package func views(_ texts: [Int], dtype: DType, on device: Device) -> InputViews {
    let places = texts.flatMap { starts[$0]..<starts[$0] + lengths[$0] }
    func chosen(_ states: Tensor, _ places: [Int]) -> Tensor {
      states.selecting(Tensor(places)).cast(to: dtype).moved(to: device)
    }
    return InputViews(
      pooled: chosen(pooled, texts),
      sequence: PackedRows(rows: chosen(rows, places), lengths: texts.map { lengths[$0] }))
  }
}

/// A cache folder with the states of texts, keyed by everything that they depend on.
package struct StateCache {
  package let folder: FilePath

  /// Caches states in a folder.
  package init(folder: FilePath) { self.folder = folder }

  /// The folder shared by all runs of a user.
  package static var shared: FilePath {
    let environment = ProcessInfo.processInfo.environment
    let base =
      environment["XDG_CACHE_HOME"].map { FilePath($0) }
      ?? FilePath(NSHomeDirectory()).appending(".cache")
    return base.appending("switchyard").appending("states")
  }

  /// Opens the states of texts, or computes them.
  ///
  /// - Parameters:
  ///   - texts: The tokens.
  ///   - encoder: Computes the states.
  ///   - identity: Identifies the encoder, including its pooling.
  ///   - progress: Called as the work advances.
  /// - Returns: The states.
  /// - Throws: `NonFiniteScores` when the encoder's states mean nothing; a `FileError`, as for a full disk.
  package func states(
    of texts: [TokenizedText], by encoder: any TextEncoder, identity: String,
    progress: ProgressHandler
  ) throws -> EncodedStates {
    let path = folder.appending("\(Self.key(texts, identity)).safetensors")
    let lengths = texts.map(\.ids.count)
    if path.isMissing {
      try folder.createFolders()
      try write(texts, by: encoder, to: path, progress)
    }
    return try EncodedStates(path, lengths: lengths)
  }

  /// A hash of everything that determines the states.
  package static func key(_ texts: [TokenizedText], _ identity: String) -> String {
    var numbers: [Int32] = [2]  // Version of the format.
    for text in texts {
      numbers += [Int32(text.ids.count), Int32(text.secondStart)] + text.ids.map { Int32($0) }
    }
    let bytes = unsafe numbers.withUnsafeBytes { unsafe [UInt8]($0) }
    return String(SHA256.hexadecimal(of: Array(identity.utf8) + bytes).prefix(32))
  }

  private static let batchSize = 32

  private func write(
    _ texts: [TokenizedText], by encoder: any TextEncoder, to path: FilePath,
    _ progress: ProgressHandler
  ) throws {
    // Rows may not fit into memory.
    try TemporaryPaths.withFile(beside: path) { raw in
      try write(texts, by: encoder, through: raw, to: path, progress)
    }
  }

  private func write(
    _ texts: [TokenizedText], by encoder: any TextEncoder, through raw: FilePath,
    to path: FilePath, _ progress: ProgressHandler
  ) throws {
    let width = encoder.configuration.hiddenSize
    var pooled: [Float] = []
    try AtomicFile.write(to: raw) { file in
      for first in stride(from: 0, to: texts.count, by: Self.batchSize * 16) {
        let block = texts[first..<min(first + Self.batchSize * 16, texts.count)]
        let states = try Self.encode(Array(block), encoder) { done in
          progress(Progress("encoding texts", completed: first + done, total: texts.count))
        }
        pooled += states.pooled
        for rows in states.rows {
          unsafe try file.append(rows.span.bytes)
        }
      }
    }
    let lengths = texts.map { Int32($0.ids.count) }
    let rows = try MappedFile(raw)
    let items = [
      SafetensorsItem(name: "lengths", dtype: .i32, shape: [texts.count]),
      SafetensorsItem(name: "pooled", dtype: .f32, shape: [texts.count, width]),
      SafetensorsItem(
        name: "rows", dtype: .f16, shape: [texts.reduce(0) { $0 + $1.ids.count }, width]),
    ]
    try SafetensorsWriter.write(items, to: path) { item in
      switch item.name {
      case "lengths": Tensor(lengths)
      case "pooled": Tensor(pooled, shape: [texts.count, width])
      default: MappedBytes(file: rows) as any ByteSource
      }
    }
  }

  /// States of some texts, in order, computed in batches of texts of similar length.
  private static func encode(
    _ texts: [TokenizedText], _ encoder: any TextEncoder, done: (Int) -> Void
  ) throws -> (pooled: [Float], rows: [[Float16]]) {
    let width = encoder.configuration.hiddenSize
    let order = texts.indices.sorted { (texts[$0].ids.count, $0) < (texts[$1].ids.count, $1) }
    var pooled = [Float](repeating: 0, count: texts.count * width)
    var rows = [[Float16]](repeating: [], count: texts.count)
    for start in stride(from: 0, to: order.count, by: batchSize) {
      let batch = Array(order[start..<min(start + batchSize, order.count)])
      let views = withoutGradients { encoder(batch.map { texts[$0] }) }
      let (pooledVectors, halves) = (
        views.pooled.cast(to: .f32), views.sequence.rows.cast(to: .f16)
      )
      try encoder.check([pooledVectors, halves], of: batch.map { texts[$0] })
      let vectors = pooledVectors.array(of: Float.self)
      let states = halves.array(of: Float16.self)
      var row = 0
      for (place, text) in batch.enumerated() {
        pooled.replaceSubrange(
          text * width..<(text + 1) * width, with: vectors[place * width..<(place + 1) * width])
        let end = row + texts[text].ids.count
        rows[text] = Array(states[row * width..<end * width])
        row = end
      }
      done(start + batch.count)
    }
    return (pooled, rows)
  }

  /// A mapped file's bytes.
  private struct MappedBytes: ByteSource {
    let file: MappedFile
    func withBytes(_ body: (RawSpan) throws -> Void) throws { try file.withBytes(body) }
  }
}
