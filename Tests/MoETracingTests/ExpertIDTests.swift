import MoECore
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

/// Files of every importer with a number that is no id of an expert: negative, or larger than any trace holds.
@Suite("Ids that are no experts")
struct ExpertIDTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func load(_ path: FilePath, experts: Int? = nil) throws {
    var options = TraceImport.Options()
    options.experts = experts
    try TraceImport(path, options: options).write(to: folder.file("t"))
  }

  /// Expects a refusal that says the file, and all of `words`, with and without a number of experts.
  private func expectRefusal(_ path: FilePath, _ words: [String]) throws {
    for experts in [nil, 8, 65_535] {
      #expect {
        try load(path, experts: experts)
      } throws: { error in
        (words + [path.string, "0…65534"]).allSatisfy { "\(error)".contains($0) }
      }
    }
    #expect(try !folder.contents().contains { $0.hasPrefix("t") })
  }

  private static let vllm = #"{"req_id": "r", "token_idx": 4, "layer": 3, "topk_ids": [1, ID]}"#
  private static let megatron = #"{"step": 0, "layer": 3, "top_indices": [[0, 1], [1, ID]]}"#
  private static let gptOSS =
    #"{"router_data": [{"token_7": {"layer_3": {"selected_experts": [1, ID]}}}]}"#

  @Test(
    "are refused with their file, token, layer and number",
    arguments: [
      ("a.jsonl", vllm + "\n" + vllm, "-2", "line 1: token 4 chose expert -2 in layer 3"),
      ("b.jsonl", vllm + "\n" + vllm, "70000", "line 1: token 4 chose expert 70000 in layer 3"),
      ("c.jsonl", megatron + "\n", "-2", "line 1: token 1 chose expert -2 in layer 3"),
      ("d.jsonl", megatron + "\n", "70000", "line 1: token 1 chose expert 70000 in layer 3"),
      (
        "expert_weights_3.txt", "0\t1\t\t0.5\t0.5\n1\tID\t\t0.5\t0.5\n", "-2",
        "token 1 chose expert -2 in layer 3"
      ),
      (
        "expert_weights_3.txt", "0\t1\t\t0.5\t0.5\n1\tID\t\t0.5\t0.5\n", "65535",
        "token 1 chose expert 65535 in layer 3"
      ),
      ("e.json", gptOSS, "-2", "token 0 of 'router_data' chose expert -2 in layer 3"),
      ("f.json", gptOSS, "70000", "token 0 of 'router_data' chose expert 70000 in layer 3"),
      ("g.json", gptOSS, "1e300", "token 0 of 'router_data' chose expert 1e+300 in layer 3"),
      (
        "h.csv", "3,0\n3,1\n3,2\n3,0\n4,1\n4,ID\n", "70000", "token 1 chose expert 70000 in layer 4"
      ),
    ])
  func texts(name: String, text: String, id: String, words: String) throws {
    let path = try folder.write(Array(text.replacing("ID", with: id).utf8), to: name)
    try expectRefusal(path, [words])
  }

  private func expectRefusal<Number: FixedWidthInteger & BitwiseCopyable>(
    of id: Number, _ type: String
  ) throws {
    // Two tokens in three layers, top-2.
    var numbers: [Number] = [0, 1, 1, 2, 2, 3, 0, 1, 1, 2, 2, 3]
    numbers[9] = id
    let path = try folder.write(NumPyBytes.file(numbers, [2, 3, 2], type), to: "a.npy")
    try expectRefusal(path, ["token 1 chose expert \(id) in layer 1"])
    let flat = try folder.write(NumPyBytes.file([0, id], [2, 1], type), to: "c.npy")
    try expectRefusal(flat, ["token 1 chose expert \(id) in layer 0"])
  }

  @Test("are refused in arrays of every width, whose lower bytes may be an expert's")
  func arrays() throws {
    try expectRefusal(of: -2 as Int8, "|i1")
    try expectRefusal(of: -2 as Int16, "<i2")
    try expectRefusal(of: -2 as Int32, "<i4")
    try expectRefusal(of: 70_000 as Int32, "<i4")
    try expectRefusal(of: 65_535 as UInt32, "<u4")
    try expectRefusal(of: Int64(1 << 32) + 3, "<i8")
    try expectRefusal(of: Int64.max, "<i8")
    try expectRefusal(of: Int64.max - 1, "<i8")
    try expectRefusal(of: UInt64.max - 1, "<u8")
    try expectRefusal(of: UInt64(Int64.max), "<u8")
  }

  @Test("are refused in a server's records")
  func records() throws {
    try expectRefusal(
      Fixtures.path("traces/sglang_id.pt"), ["record 0, token 1 chose expert -2 in layer 1"])
  }

  @Test("do not take the last experts of a wide layer along")
  func last() throws {
    let ids: [Int32] = [65_534, 65_533, 0, -1]
    let path = try folder.write(NumPyBytes.file(ids, [2, 1, 2], "<i4"), to: "a.npy")
    try load(path)
    let trace = try RoutingTrace(folder.file("t"))
    #expect(try trace.experts(in: 0..<2) == [65_534, 65_533, 0, 65_535])
    #expect(trace.header.experts == 65_535)
  }
}
