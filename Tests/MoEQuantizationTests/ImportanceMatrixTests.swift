import MoECore
import MoEModels
import MoEQuantization
import MoETestSupport
import SystemPackage
import Testing

/// Files about the mixtures of `Tests/Fixtures/make/gguf_moe.py`, with 4 experts and 32 inputs everywhere.
@Suite("Importance matrices")
struct ImportanceMatrixTests {
  private typealias B = GGUFBytes
  private let folder: TemporaryFolder
  private let model: StoredModel

  init() throws {
    folder = try TemporaryFolder()
    model = try StoredModel(Fixtures.path("gguf").appending("mixtral.gguf"))
  }

  /// A tensor of f32.
  private struct Entry {
    var name: String
    var sizes: [UInt64]
    var values: [Float]
  }

  private func bytes(
    _ entries: [Entry], type: String = "imatrix", element: UInt32 = 0
  ) -> [UInt8] {
    var parts = B()
    parts.keys = [
      B.key("general.type", type), B.key("imatrix.datasets", ["texts.txt"]),
      B.key("imatrix.chunk_count", UInt32(3)), B.key("imatrix.chunk_size", UInt32(512)),
    ]
    for entry in entries {
      parts.tensors.append(
        B.tensor(entry.name, entry.sizes, type: element, at: UInt64(parts.data.count)))
      parts.data += entry.values.flatMap { B.number($0.bitPattern) }
      parts.data += Array(repeating: 0, count: (32 - parts.data.count % 32) % 32)
    }
    return parts.bytes
  }

  private func read(
    _ entries: [Entry], type: String = "imatrix", element: UInt32 = 0
  ) throws -> ImportanceMatrix {
    let bytes = bytes(entries, type: type, element: element)
    return try ImportanceMatrix(try folder.write(bytes, to: "imatrix.gguf"), for: model)
  }

  private func dense(_ name: String, _ values: [Float], _ count: Float) -> [Entry] {
    [
      Entry(name: name + ".in_sum2", sizes: [32], values: values),
      Entry(name: name + ".counts", sizes: [1], values: [count]),
    ]
  }

  private func stack(_ name: String, _ values: [Float], _ counts: [Float]) -> [Entry] {
    [
      Entry(name: name + ".in_sum2", sizes: [32, UInt64(counts.count)], values: values),
      Entry(name: name + ".counts", sizes: [1, UInt64(counts.count)], values: counts),
    ]
  }

  private let query = "blk.0.attn_q.weight"
  private let down = "blk.1.ffn_down_exps.weight"

  @Test("tell the mean squares of the inputs of layers and of every expert")
  func reads() throws {
    let numbers = (0..<32).map { Float($0) }
    let sums = (0..<4).flatMap { expert in numbers.map { $0 * Float(expert + 1) } }
    let matrix = try read(dense(query, numbers, 8) + stack(down, sums, [2, 0, 4, 1]))
    #expect(matrix.datasets == ["texts.txt"] && matrix.modules.count == 5)
    let layer = try #require(matrix.modules["model.layers.0.self_attn.q_proj"])
    #expect(layer.tokens == 8 && layer.meanSquares == numbers.map { $0 / 8 })
    func expert(_ index: Int) -> ImportanceMatrix.Module? {
      matrix.modules["model.layers.1.block_sparse_moe.experts.\(index).w2"]
    }
    #expect(expert(0)?.meanSquares == numbers.map { $0 / 2 })
    #expect(expert(1)?.tokens == 0 && expert(1)?.meanSquares == nil)
    #expect(expert(2)?.meanSquares == numbers.map { $0 * 3 / 4 })
    #expect(expert(3)?.meanSquares == numbers.map { $0 * 4 })
  }

  @Test("that do not fit the model are refused by the tensor")
  func refused() throws {
    let ones = Array(repeating: Float(1), count: 32)
    func with(_ value: Float) -> [Float] { ones.dropLast() + [value] }
    let four = Array(repeating: Float(1), count: 128)
    let sums = Entry(name: query + ".in_sum2", sizes: [32], values: ones)
    for (entries, tensor, part) in [
      (dense(query, with(.nan), 1), query + ".in_sum2", "nan at 31"),
      (dense(query, with(.infinity), 1), query + ".in_sum2", "inf at 31"),
      (dense(query, with(-1), 1), query + ".in_sum2", "-1.0 at 31"),
      (dense(query, ones, .nan), query + ".counts", "nan at 0"),
      (dense(query, ones, -2), query + ".counts", "-2.0 at 0"),
      (dense(query, ones, 1e-30), query + ".counts", "at least 1"),
      (stack(query, four, [1, 1, 1, 1]), query + ".in_sum2", "[4, 32]"),
      (dense(down, ones, 1), down + ".in_sum2", "[4, 32]"),
      (stack(down, Array(four.dropLast(32)), [1, 1, 1]), down + ".in_sum2", "[3, 32]"),
      ([sums], query + ".counts", "no such tensor"),
      (dense("blk.9.attn_q.weight", ones, 1), "blk.9.attn_q.weight", "a linear layer"),
      (dense("blk.0.attn_norm.weight", ones, 1), "blk.0.attn_norm.weight", "a linear layer"),
      (dense("x", ones, 1), "x", "a linear layer"),
      ([Entry(name: query, sizes: [32], values: ones)], query, "in_sum2"),
    ] as [([Entry], String, String)] {
      let error = #expect(throws: ImportanceMatrixError.self, "\(part)") { try read(entries) }
      #expect(error?.tensor == tensor, "\(part)")
      let text = error.map { "\($0)" } ?? ""
      #expect(text.contains(part) && text.contains("imatrix.gguf"), "\(text)")
    }
    let halves = [
      Entry(name: query + ".in_sum2", sizes: [32], values: ones),
      Entry(name: query + ".counts", sizes: [1], values: [1]),
    ]
    let error = #expect(throws: ImportanceMatrixError.self) { try read(halves, element: 1) }
    #expect(error?.found == "the type F16")
  }

  /// Files that are broken at random are read or refused.
  @Test("changed at random are read or refused")
  func mutants() throws {
    let numbers = (0..<32).map { Float($0) }
    let four = Array(repeating: Float(1), count: 128)
    let good = bytes(dense(query, numbers, 8) + stack(down, four, [2, 0, 4, 1]))
    let path = try folder.write(good, to: "imatrix.gguf")
    var generator = SeededGenerator(seed: 21)
    var (opened, refused) = (0, 0)
    for _ in 0..<20_000 {
      let file = try FileDescriptor.open(path, .writeOnly, options: .truncate)
      let bytes = mutated(good, with: [0, 1, 2, 4, 32, 0x7F, 0xFF], using: &generator)
      try file.closeAfter { _ = try file.writeAll(bytes) }
      do {
        for module in try ImportanceMatrix(path, for: model).modules.values {
          #expect(module.meanSquares?.allSatisfy { $0.isFinite && $0 >= 0 } ?? true)
        }
        opened += 1
      } catch { refused += 1 }
    }
    #expect(opened > 500 && refused > 5_000, "\(opened) read, \(refused) refused")
  }

  @Test("of another type of file are refused")
  func otherFiles() throws {
    let error = #expect(throws: GGUFError.self) { try read([], type: "model") }
    #expect("\(error, default: "")".contains("general.type"))
    #expect(throws: GGUFError.self) {
      try ImportanceMatrix(Fixtures.path("gguf").appending("olmoe.gguf"), for: model)
    }
  }
}
