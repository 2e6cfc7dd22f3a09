import Foundation
import MoECore
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@Suite("Routing traces")
struct RoutingTraceTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("are read back as they were written, over blocks and appends")
  func roundTrip() throws {
    var header = RoutingTraceHeader(
      model: "m", layers: [1, 3], experts: 9, k: 2, source: "s", sources: ["a", "b"])
    header.model = "tiny"
    let sample = SampleTrace(
      tokens: 9000, layers: 2, experts: 9, k: 2, seed: 1, holes: true, weights: true)
    let path = folder.file("t.safetensors")
    let writer = try RoutingTraceWriter(header, weights: true, tokens: true, to: path)
    for (start, end, source) in [(0, 4000, 1), (4000, 4000, 0), (4000, 9000, 0)] {
      writer.beginSequence(source: source, promptLength: (end - start) / 2)
      try writer.append(
        experts: Array(sample.experts[start * 4..<end * 4]),
        weights: Array(sample.weights?[start * 4..<end * 4] ?? []),
        tokens: (start..<end).map(Int32.init))
    }
    #expect(try folder.contents() == [])
    try writer.finish()
    #expect(try folder.contents() == ["t.safetensors"])

    let trace = try RoutingTrace(path)
    #expect(trace.header == header && trace.tokenCount == 9000)
    #expect(trace.sequenceStarts == [0, 4000] && trace.promptLengths == [2000, 2500])
    #expect(trace.sequenceSources == [1, 0])
    #expect(try trace.experts(in: 0..<9000) == sample.experts)
    #expect(try trace.experts(in: 4095..<4099) == Array(sample.experts[4095 * 4..<4099 * 4]))
    #expect(try trace.weights(in: 0..<9000) == sample.weights?.map { Float($0) })
    #expect(try trace.tokens(in: 8998..<9000) == [8998, 8999])
    try trace.validate()
  }

  @Test("may have no tokens")
  func empty() throws {
    let header = RoutingTraceHeader(layers: [0], experts: 4, k: 1)
    try RoutingTraceWriter(header, to: folder.file("t")).finish()
    let trace = try RoutingTrace(folder.file("t"))
    #expect(trace.tokenCount == 0 && trace.sequenceStarts == [])
    #expect(try RoutingCounts(trace).loads == [[0, 0, 0, 0]])
  }

  @Test("are refused by the writer when numbers are out of range, and nothing appears")
  func badWrites() throws {
    let header = RoutingTraceHeader(layers: [0], experts: 4, k: 2)
    let path = folder.file("t")
    let writer = try RoutingTraceWriter(header, to: path)
    #expect(throws: TracingError.self) { try writer.append(experts: [0]) }
    #expect(throws: TracingError.self) { try writer.append(experts: [0, 1], weights: [1, 1]) }
    try writer.append(experts: [0, 65535])
    #expect(
      throws: TracingError.expertOutOfRange(path, token: 2, layer: 0, expert: 4, experts: 4)
    ) {
      try writer.append(experts: [1, 0, 4, 0])
    }
    #expect(try folder.contents() == [])
    for (layers, experts, k) in [
      ([], 4, 1), ([1, 1], 4, 1), ([0], 0, 1), ([0], 4, 5), ([-1], 4, 1),
    ] {
      let header = RoutingTraceHeader(layers: layers, experts: experts, k: k)
      #expect(throws: TracingError.self) { try RoutingTraceWriter(header, to: path) }
    }
  }

  private static let good =
    #"{"version":1,"layers":[0,1],"experts":4,"k":1}"#

  /// Writes a file with tensors as given; experts are all 0 but the last number.
  private func file(
    _ metadata: String? = good, experts: [Int] = [3, 2, 1], dtype: DType = .u16, last: UInt8 = 0,
    more: [(String, DType, [UInt8])] = []
  ) throws -> FilePath {
    let path = folder.file("bad.safetensors")
    var data: [String: [UInt8]] = [:]
    var items = [SafetensorsItem(name: "experts", dtype: dtype, shape: experts)]
    data["experts"] = [UInt8](repeating: 0, count: items[0].byteCount)
    data["experts"]?[items[0].byteCount - 2] = last
    for (name, dtype, bytes) in more {
      items.append(.init(name: name, dtype: dtype, shape: [bytes.count / dtype.byteSize]))
      data[name] = bytes
    }
    try SafetensorsWriter.write(
      items, metadata: metadata.map { ["switchyard": $0] } ?? [:], to: path
    ) { data[$0.name] ?? [] }
    return path
  }

  private func message(_ path: FilePath) -> String {
    do {
      try RoutingTrace(path).validate()
      return "accepted"
    } catch { return "\(error)" }
  }

  @Test("are refused when they are inconsistent, with what was expected")
  func malformed() throws {
    #expect(message(try file()) == "accepted")
    #expect(message(try file(nil)).contains("'switchyard'"))
    #expect(message(try file("{")).contains("broken"))
    #expect(
      message(try file(#"{"version":2,"layers":[0,1],"experts":4,"k":1}"#)).contains("version 2"))
    #expect(message(try file(#"{"version":1,"experts":4,"k":1}"#)).contains("'layers' is missing"))
    #expect(message(try file(#"{"version":1,"layers":[0,1],"experts":4,"k":9}"#)).contains("1…4"))
    #expect(
      message(try file(#"{"version":1,"layers":[0,1],"experts":9000000000,"k":1}"#)).contains(
        "1…65535"))
    #expect(message(try file(experts: [3, 3, 1])).contains("[tokens, 2, 1]"))
    #expect(message(try file(dtype: .i32)).contains("expected u16"))
    #expect(message(try file(last: 4)).contains("token 2 chose expert 4 in layer 1"))
    let starts: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0]
    #expect(message(try file(more: [("sequence_starts", .i64, starts)])).contains("begin with 0"))
    #expect(
      message(try file(more: [("prompt_lengths", .i64, [9] + starts.dropFirst())])).contains(
        "longer"))
    #expect(message(try file(more: [("sequence_sources", .i64, starts)])).contains("sources"))
    #expect(message(try file(more: [("tokens", .i32, [0, 0, 0, 0])])).contains("expected i32 [3]"))
    #expect(message(folder.file("none")).contains("does not exist"))
  }

  @Test("are refused wherever they are cut")
  func truncated() throws {
    let sample = SampleTrace(tokens: 5, layers: 2, experts: 4, k: 2, seed: 3, weights: true)
    let bytes = try readBytes(sample.write(to: folder.file("t")).path)
    for length in stride(from: 0, to: bytes.count, by: 7) {
      let path = try folder.write(Array(bytes[..<length]), to: "cut")
      #expect(throws: (any Error).self) { try RoutingTrace(path).validate() }
    }
  }
}
