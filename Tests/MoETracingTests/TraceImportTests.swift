import Foundation
import MoECore
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@Suite("Imported traces")
struct TraceImportTests {
  private let folder: TemporaryFolder
  private let expected: [UInt16]
  private static let (tokens, layers, k) = (12, 3, 2)

  init() throws {
    folder = try TemporaryFolder()
    let bytes = try readBytes(Fixtures.path("traces/expected_ids.npy"))
    expected = stride(from: bytes.count - 144, to: bytes.count, by: 2).map {
      UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8
    }
  }

  private func load(
    _ name: String, _ change: (inout TraceImport.Options) -> Void = { _ in }
  ) throws -> RoutingTrace {
    var options = TraceImport.Options()
    change(&options)
    let target = folder.file("out.safetensors")
    try TraceImport(Fixtures.path("traces/" + name), options: options).write(to: target)
    return try RoutingTrace(target)
  }

  @Test("from NumPy, in C and Fortran order, with weights and lengths")
  func numPy() throws {
    for name in ["vllm.npy", "fortran.npy"] {
      let trace = try load(name) { $0.layers = [2, 4, 6] }
      #expect(try trace.experts(in: 0..<12) == expected)
      #expect(trace.header.layers == [2, 4, 6] && trace.header.experts == 8 && trace.header.k == 2)
    }
    let trace = try load("vllm.npy") {
      $0.weights = Fixtures.path("traces/vllm_weights.npy")
      $0.sequenceLengths = Fixtures.path("traces/vllm_lengths.npy")
    }
    #expect(trace.sequenceStarts == [0, 5] && trace.hasWeights)
    let bytes = try readBytes(Fixtures.path("traces/vllm_weights.npy")).suffix(144)
    let first = Float(
      Float16(
        bitPattern: UInt16(bytes[bytes.startIndex]) | UInt16(bytes[bytes.startIndex + 1]) << 8))
    // The first choice has the smaller weight and goes second, or the larger and stays.
    #expect(try trace.weights(in: 0..<1)?.prefix(2).contains(first) ?? false)
    let (found, weights) = (
      try trace.experts(in: 0..<12), try #require(try trace.weights(in: 0..<12))
    )
    let given = stride(from: bytes.startIndex, to: bytes.endIndex, by: 2).map {
      Float(Float16(bitPattern: UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8))
    }
    for start in stride(from: 0, to: found.count, by: 2) {
      let order = given[start] >= given[start + 1] ? [start, start + 1] : [start + 1, start]
      #expect(Array(found[start..<start + 2]) == order.map { expected[$0] })
      #expect(Array(weights[start..<start + 2]) == order.map { given[$0] })
    }
  }

  @Test("lines are read with any line ending, and counted as in an editor")
  func lines() throws {
    let csv = "layer,expert\r\n0,1\r\n\r\n 0 , 2 \n1,0\n1,3\n0,2\n0,1\n1,1\n1,2"
    let path = try folder.write(Array(csv.utf8), to: "a.csv")
    try TraceImport(path).write(to: folder.file("t"))
    let trace = try RoutingTrace(folder.file("t"))
    #expect(try trace.experts(in: 0..<2) == [1, 2, 0, 3, 2, 1, 1, 2] && trace.header.k == 2)
    for (text, line) in [
      ("0,1\n0,x\n", 2), ("0,1\n\n0\n", 3), ("0,-1\n", 1), ("0,1,2\n", 1),
      ("0,99999999999\n", 1), (",\n", 1),
    ] {
      let bad = try folder.write(Array(text.utf8), to: "bad.csv")
      #expect {
        try TraceImport(bad).write(to: folder.file("u"))
      } throws: { "\($0)".contains("line \(line) is not") }
    }
  }

  @Test("traces that list experts by index are distinguished from those with the best first")
  func order() throws {
    func trace(_ experts: [UInt16]) throws -> RoutingTrace {
      let writer = try RoutingTraceWriter(
        RoutingTraceHeader(layers: [0], experts: 9, k: 2), to: folder.file("t"))
      try writer.append(experts: experts)
      try writer.finish()
      return try RoutingTrace(folder.file("t"))
    }
    let rising = (0..<60).flatMap { token -> [UInt16] in [UInt16(token % 8), 8] }
    #expect(try trace(rising).listsExpertsByNumber())
    #expect(try trace(rising + [5, 3]).listsExpertsByNumber() == false)
    #expect(try trace(Array(rising.prefix(40))).listsExpertsByNumber() == false)
    let report = try TraceReport(try trace(rising))
    #expect(report.diagnosis.contains { $0.contains("by ascending index") })
  }

  @Test("from ExFlow: one expert per token and layer")
  func exflow() throws {
    let trace = try load("exflow.npy")
    let firsts = stride(from: 0, to: expected.count, by: 2).map { expected[$0] }
    #expect(try trace.experts(in: 0..<12) == firsts && trace.header.k == 1)
  }

  @Test(
    "from SGLang: physical experts become logical ones, dense layers vanish, ids and sequences stay"
  )
  func sglang() throws {
    let trace = try load("sglang_per_token.pt")
    #expect(try trace.experts(in: 0..<12) == expected)
    #expect(trace.header.layers == [1, 2, 3] && trace.sequenceStarts == [0, 7])
    let bytes = try readBytes(Fixtures.path("traces/expected_tokens.npy")).suffix(48)
    let first = Int32(bytes[bytes.startIndex]) | Int32(bytes[bytes.startIndex + 1]) << 8
    #expect(try trace.tokens(in: 0..<1) == [first])
  }

  @Test("from Megatron: steps become sequences, blocks of multi-token prediction are left out")
  func megatron() throws {
    let trace = try load("megatron.jsonl")
    #expect(try trace.experts(in: 0..<12) == expected)
    #expect(trace.header.layers == [1, 2, 3] && trace.sequenceStarts == [0, 8])
  }

  @Test("from llama.cpp: tokens that the last layer skips have unused slots")
  func llamaCpp() throws {
    let trace = try load("llamacpp.csv")
    var wanted = expected
    for token in 0..<9 { for slot in 4..<6 { wanted[token * 6 + slot] = 65535 } }
    #expect(try trace.experts(in: 0..<12) == wanted && trace.sequenceStarts == [0])
    #expect(throws: TracingError.self) { try load("llamacpp.csv") { $0.k = 3 } }
  }

  @Test("counts are read from all formats that contain nothing else")
  func counts() throws {
    let loads = try CountMatrix.read(Fixtures.path("traces/sglang_stat.pt")).loads
    var slow = [[Int]](repeating: [Int](repeating: 0, count: 8), count: 3)
    for (place, expert) in expected.enumerated() { slow[place / 2 % 3][Int(expert)] += 1 }
    #expect(loads == slow)
    for (name, text) in [
      ("a.json", "[[1, 2], [3, 0]]"), ("b.json", #"{"1": [3, 0], "0": [1, 2]}"#),
      ("c.csv", "1,2\n3,0\n"),
    ] {
      let path = try folder.write(Array(text.utf8), to: name)
      #expect(try CountMatrix.read(path).loads == [[1, 2], [3, 0]])
    }
    let share = try folder.write(Array("0.25,0.75".utf8), to: "d.csv")
    #expect(try CountMatrix.read(share).loads == [[250_000, 750_000]])
    for text in ["", "1,x", "1,2\n3", "[[1], [-1]]", "{\"a\": [1]}", "[]", "[[1e300]]"] {
      for name in ["e.csv", "e.json"] {
        let path = try folder.write(Array(text.utf8), to: name)
        #expect(throws: TracingError.self) { try CountMatrix.read(path) }
      }
    }
  }

  @Test("ids out of range and options that do not fit are refused, and nothing appears")
  func refused() throws {
    #expect(throws: TracingError.self) { try load("vllm.npy") { $0.experts = 7 } }
    #expect(throws: TracingError.self) { try load("vllm.npy") { $0.layers = [1, 9] } }
    #expect(throws: TracingError.self) {
      try load("vllm.npy") { $0.sequenceLengths = Fixtures.path("traces/vllm.npy") }
    }
    #expect(throws: TracingError.self) { try load("vllm_weights.npy") }
    #expect(throws: TracingError.self) { try load("sglang_stat.pt") }
    #expect(throws: (any Error).self) { try load("hostile.pt") }
    #expect(try folder.contents() == [])
  }

  @Test(
    "cut or changed files are refused or read, and never end the program",
    arguments: ["vllm.npy", "megatron.jsonl", "llamacpp.csv", "sglang_per_token.pt"])
  func damaged(name: String) throws {
    let bytes = try readBytes(Fixtures.path("traces/" + name))
    var generator = SeededGenerator(seed: 3)
    let target = folder.file("out")
    for round in 0..<40 {
      var changed = bytes
      if round.isMultiple(of: 2) {
        changed = Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &generator)))
      } else {
        for _ in 0..<3 {
          changed[Int.random(in: 0..<bytes.count, using: &generator)] = .random(
            in: 0...255, using: &generator)
        }
      }
      let path = try folder.write(changed, to: name)
      do { try TraceImport(path).write(to: target) } catch {
        #expect("\(error)".contains(name) || "\(error)".contains("out"), "\(error)")
      }
    }
  }
}

/// Traces of real models, if the development machine has them.
@Suite("Real traces")
struct RealTraceTests {
  private static let root = FilePath(
    ProcessInfo.processInfo.environment["SWITCHYARD_TRACES"] ?? Fixtures.package.folderOfShared)

  private static var isPresent: Bool { FileManager.default.fileExists(atPath: root.string) }

  @Test(
    "are imported and read back exactly",
    .enabled(if: isPresent, "no real traces here; set SWITCHYARD_TRACES to their folder"),
    arguments: [
      ("gpt_oss_20b/tulu3_persona_if_ids.npy", "gpt_oss_20b/tulu3_persona_if_seq_lens.npy", 32),
      ("deepseek_v2_lite_esft/law_ids.npy", "deepseek_v2_lite_esft/law_seq_lens.npy", 64),
    ])
  func real(ids: String, lengths: String, experts: Int) throws {
    let folder = try TemporaryFolder()
    var options = TraceImport.Options()
    (options.experts, options.sequenceLengths) = (experts, Self.root.appending(lengths))
    let path = Self.root.appending(ids)
    try TraceImport(path, options: options).write(to: folder.file("t"))
    let trace = try RoutingTrace(folder.file("t"))
    let found = try trace.experts(in: 0..<trace.tokenCount)
    #expect(found.map { UInt8($0) } == Array(try readBytes(path).suffix(found.count)))
    #expect(trace.sequenceStarts.count > 1)
  }
}

extension FilePath {
  /// Where developers keep data that may not be published: next to the package.
  fileprivate var folderOfShared: String {
    removingLastComponent().appending("shared/data/moe_traces").string
  }
}
