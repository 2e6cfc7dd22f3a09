import MoECore
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@Suite("Files of other systems")
struct ForeignFormatTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func write(_ text: String, _ name: String) throws -> FilePath {
    try folder.write(Array(text.utf8), to: name)
  }

  private func load(_ paths: FilePath..., k: Int? = nil) throws -> RoutingTrace {
    var options = TraceImport.Options()
    options.k = k
    try TraceImport(paths[0], joining: Array(paths.dropFirst()), options: options)
      .write(to: folder.file("t"))
    return try RoutingTrace(folder.file("t"))
  }

  @Test("routes of a vLLM logger, a token and layer per line, of one file or several")
  func vllm() throws {
    let first = try write(
      """
      {"type": "meta", "model_id": "some/moe", "layers_logged": [0], "top_k": 2, "num_experts": 6}
      {"type": "route", "req_id": "r1", "token_idx": 0, "layer": 0, "topk_ids": [3, 1], "topk_weights": [0.25, 0.5]}
      {"type": "route", "req_id": "r1", "token_idx": 1, "layer": 0, "topk_ids": [2, 0], "topk_weights": [0.5, 0.25]}
      {"type": "route", "req_id": "r2", "token_idx": 0, "layer": 0, "topk_ids": [1, 2], "topk_weights": [0.5, 0.5]}

      """, "layer0.jsonl")
    let second = try write(
      """
      {"type": "route", "req_id": "r1", "token_idx": 0, "layer": 8, "topk_ids": [4, 0], "topk_weights": [1, 0.5]}
      {"type": "route", "req_id": "r1", "token_idx": 1, "layer": 8, "topk_ids": [0, 4], "topk_weights": [1, 0.5]}
      {"type": "route", "req_id": "r2", "token_idx": 0, "layer": 8, "topk_ids": [2, 5], "topk_weights": [1, 0.5]}
      """, "layer8.jsonl")
    let one = try load(first)
    #expect(try one.experts(in: 0..<3) == [1, 3, 2, 0, 1, 2] && one.sequenceStarts == [0, 2])
    #expect(one.header.model == "some/moe" && one.header.experts == 6 && one.header.layers == [0])
    let both = try load(first, second)
    #expect(try both.experts(in: 0..<3) == [1, 3, 4, 0, 2, 0, 0, 4, 1, 2, 2, 5])
    #expect(both.header.layers == [0, 8] && both.hasWeights)
    #expect(try both.weights(in: 0..<1) == [0.5, 0.25, 1, 0.5])
    // A token index that does not rise begins another sequence.
    let again = try write(
      """
      {"token_idx": 0, "layer": 0, "topk_ids": [3, 1]}
      {"token_idx": 0, "layer": 0, "topk_ids": [2, 1]}
      """, "again.jsonl")
    #expect(try load(again).sequenceStarts == [0, 1])
    let bad = try write(
      "{\"layers_logged\": [0]}\n{\"token_idx\": 0, \"layer\": 0}\n", "bad.jsonl")
    #expect { try load(bad) } throws: { "\($0)".contains("bad.jsonl: line 2") }
  }

  @Test(
    "files of a single line are records as well, with or without an end of line",
    arguments: [
      #"{"type": "route", "req_id": "r", "token_idx": 0, "layer": 5, "topk_ids": [3, 1]}"#,
      #"{"step": 0, "layer": 5, "top_indices": [[3, 1]]}"#,
      #"{"step": 0, "layer": 5, "loss": NaN, "top_indices": [[3, 1]]}"#,
    ])
  func oneLine(text: String) throws {
    for end in ["", "\n", "\r\n", "\n\n"] {
      let trace = try load(write(text + end, "one.jsonl"))
      #expect(try trace.experts(in: 0..<1) == [3, 1] && trace.header.layers == [5])
    }
  }

  @Test(
    "weights that Python writes and JSON does not have are refused as weights",
    arguments: [("NaN", "nan"), ("Infinity", "inf"), ("-Infinity", "-inf")])
  func pythonWeights(written: String, weight: String) throws {
    func line(_ token: Int, _ weight: String) -> String {
      #"{"token_idx": \#(token), "layer": 5, "topk_ids": [3, 1], "topk_weights": [\#(weight), 0.5]}"#
    }
    for tokens in [[written], [written, "0.5"], ["0.5", written]] {
      let text = tokens.enumerated().map { line($0, $1) }.joined(separator: "\n")
      let path = try write(text, "weights.jsonl")
      let token = tokens.firstIndex(of: written) ?? 0
      #expect {
        try load(path)
      } throws: { error in
        [
          "weights.jsonl: 1 of \(2 * tokens.count) weights", "token \(token), layer 5: \(weight)",
        ].allSatisfy { "\(error)".contains($0) }
      }
    }
  }

  @Test("expert weights of ESFT, a file per layer")
  func esft() throws {
    let one = try write(
      "3\t1\t2\t0\t\t0.25\t0.5\t0.5\t0.25\n1\t2\t\t0.5\t0.25\n", "expert_weights_1.txt")
    _ = try write("0\t1\t2\t3\t\t0.5\t0.25\t0.5\t0.25\n3\t2\t\t0.5\t0.25\n", "expert_weights_2.txt")
    let trace = try load(one, k: 2)
    #expect(try trace.experts(in: 0..<3) == [1, 3, 2, 0, 1, 2] && trace.header.layers == [1])
    #expect(trace.sequenceStarts == [0, 2] && trace.hasWeights)
    let folder = try load(self.folder.path)
    #expect(folder.header.layers == [1, 2] && folder.header.k == 2)
    #expect(try folder.experts(in: 0..<1) == [1, 3, 0, 1])
    #expect { try load(one, k: 3) } throws: { "\($0)".contains("multiple of 3") }
    let bad = try write("3\t1\t\t0.5\n", "expert_weights_4.txt")
    #expect { try load(bad) } throws: { "\($0)".contains("line 1") }
  }

  @Test("records of GPT-OSS, all of whose tokens are generated")
  func gptOSS() throws {
    let text = """
      {"original_prompt": "x", "router_data": [
        {"token_7": {"layer_0": {"selected_experts": [2, 0], "selected_probs": [0.75, 0.25]},
                     "layer_1": {"selected_experts": [1, 3], "selected_probs": [0.25, 0.75]}}},
        {"token_8": {"layer_0": {"selected_experts": [1, 0], "selected_probs": [0.5, 0.5]},
                     "layer_1": {"selected_experts": [3, 2], "selected_probs": [0.75, 0.25]}}}]}
      """
    let trace = try load(write(text, "True_True_examples.json"))
    #expect(try trace.experts(in: 0..<2) == [2, 0, 3, 1, 1, 0, 3, 2])
    #expect(trace.promptLengths == [0] && trace.hasWeights && trace.header.layers == [0, 1])
    let list = try load(write("[\(text), \(text)]", "several.json"))
    #expect(list.sequenceStarts == [0, 2])
    let bad = text.replacing("\"selected_experts\": [1, 3]", with: "\"selected_experts\": 1")
    #expect {
      try load(write(bad, "bad.json"))
    } throws: { "\($0)".contains("router_data[0].layer_1") }
  }

  @Test("counts of SGLang in JSON and in its earlier CSV, whose ranks are added")
  func sglang() throws {
    let json = try write(
      #"{"logical_count": [[[0, 0], [1, 2]], [[0, 0], [3, 4]]], "rank": 0}"#, "stat.json")
    #expect(try CountMatrix.read(json).loads == [[4, 6]])
    #expect(try CountMatrix.read(json).layers == [1])
    let flat = try write(#"{"logical_count": [[1, 2], [3, 4]]}"#, "flat.json")
    #expect(try CountMatrix.read(flat).loads == [[1, 2], [3, 4]])
    let one = try write("layer_id,expert_id,count\n3,0,10\n3,2,5\n4,1,15\n", "rank0.csv")
    let two = try write("layer_id,expert_id,count\n3,2,1\n3,3,2\n", "rank1.csv")
    let counts = try CountMatrix.read(one, adding: [two])
    #expect(counts.layers == [3, 4] && counts.loads == [[10, 0, 6, 2], [0, 15, 0, 0]])
    #expect(
      counts.remarks.contains { $0.contains("taken to have 4") && $0.contains("a count of 0") })
    let more = try write("layer_id,expert_id,count\n3,0,1\n3,7,0\n", "more.csv")
    #expect(try CountMatrix.read(more).loads == [[1, 0, 0, 0, 0, 0, 0, 0]])
    #expect {
      try CountMatrix.read(flat, adding: [write("[[1, 2, 3]]", "wide.json")])
    } throws: { "\($0)".contains("wide.json") }
    let bad = try write("layer_id,expert_id,count\n3,0,x\n", "bad.csv")
    #expect { try CountMatrix.read(bad) } throws: { "\($0)".contains("line 2") }
    // Rows are layers by their place alone, so one row cannot be added to two; named layers can be.
    let row = try write("[[1, 2]]", "row.json")
    #expect { try CountMatrix.read(flat, adding: [row]) } throws: {
      "\($0)".contains("it has 1 row") && "\($0)".contains("has 2")
    }
    let named = try write(#"{"1": [3, 4]}"#, "named.json")
    #expect(try CountMatrix.read(named, adding: [row]).layers == [0, 1])
  }

  @Test("a byte order mark is no part of a file's text")
  func byteOrderMark() throws {
    let mark = "\u{FEFF}"
    let sparse = try write(mark + "layer_id,expert_id,count\n3,0,10\n3,1,5\n", "marked.csv")
    #expect(try CountMatrix.read(sparse).loads == [[10, 5]])
    let rows = try write(mark + "10,5\n1,2\n", "rows.csv")
    #expect(try CountMatrix.read(rows).loads == [[10, 5], [1, 2]])
    #expect(try CountMatrix.read(write(mark + "[[1, 2]]", "marked.json")).loads == [[1, 2]])
    let pairs = try load(write(mark + "layer,expert\n0,1\n0,0\n", "pairs.csv"))
    #expect(pairs.header.experts == 2 && pairs.tokenCount > 0)
  }

  @Test("counts of CD-MoE, EPLB's example and ESFT's summary")
  func otherCounts() throws {
    let cd = try write(
      #"{"0-1": [2.0, 4, 0.5], "0-0": [3.0, 6, 0.5], "2-1": [1.0, 8, 0.125]}"#, "cd.json")
    let counts = try CountMatrix.read(cd)
    #expect(counts.layers == [0, 2] && counts.loads == [[6, 4], [0, 8]])
    let eplb = try write(
      #"{"weight": [[90, 132], [20, 107]], "num_replicas": 4, "phy2log": [[0, 1, 0, 1]]}"#,
      "eplb.json")
    #expect(try CountMatrix.read(eplb).loads == [[90, 132], [20, 107]])
    let esft = try write(
      #"{"token_scores": {"1": {"0": 0.25, "1": 0.75}, "2": {"0": 0.5, "1": 0.5}}}"#, "summary.json"
    )
    let fractions = try CountMatrix.read(esft)
    #expect(fractions.layers == [1, 2] && fractions.loads[0] == [250_000, 750_000])
    #expect(fractions.remarks.contains { $0.contains("fractions") })
    // A number that scaled up would leave the range of integers.
    let wide = try write("[[1e14, 0.5]]", "wide.json")
    #expect(try CountMatrix.read(wide).loads == [[100_000_000_000_000, 1]])
  }

  @Test(
    "are named before they are refused",
    arguments: [
      ("a.json", #"{"think_expert_analytics": {}}"#, "GPT-OSS averages"),
      ("a.json", #"{"experts": {"1": [3]}, "shared_experts": false}"#, "ESFT's list"),
      ("a.json", #"{"physical_to_logical_map": [[0]]}"#, "placement plan of SGLang"),
      ("a.json", #"{"router_data": []}"#, "GPT-OSS record"),
      ("a.json", #"{"alpha": 1, "beta": 2}"#, "'alpha', 'beta'"),
      ("a.json", #"{"0": {"0": {"1": 2.5}}}"#, "keys '0'"),
      ("a.jsonl", "{\"topk_ids\": [1]}\n{}\n", "routes of a vLLM logger"),
      ("a.jsonl", "{\"topk_ids\": [1]}", "routes of a vLLM logger"),
      ("a.jsonl", "{\"topk_ids\": [1], \"topk_weights\": [NaN]}\n{}\n", "routes of a vLLM logger"),
      ("a.jsonl", "{\"step\": 0, \"top_indices\": [[1]]}\n{}\n", "Megatron-Core"),
      ("a.jsonl", "{\"step\": 0, \"top_indices\": [[1]]}", "Megatron-Core"),
      ("a.jsonl", "{\"prompt\": \"x\"}\n{}\n", "'prompt'"),
      ("a.txt", "1\t2\t\t0.5\t0.5\n", "ESFT"), ("a.csv", "layer,expert\n0,1\n", "llama.cpp"),
    ])
  func namedCounts(name: String, text: String, word: String) throws {
    let path = try write(text, name)
    let error = #expect(throws: TracingError.self) { try RoutingSource(path) }
    #expect("\(error, default: "")".contains(word) && "\(error, default: "")".contains(name))
  }

  @Test("that only hold counts or plans are not imported, by their content")
  func namedTraces() throws {
    for (name, text, word) in [
      ("a.jsonl", "{\"prompt\": \"x\"}\n{}\n", "'prompt'"),
      ("a.json", #"{"logical_count": [[1]]}"#, "inspect it"),
      ("a.csv", "layer_id,expert_id,count\n0,1,2\n", "inspect it"),
      ("a.json", #"{"physical_to_logical_map": [[0]]}"#, "placement plan"),
    ] {
      #expect { try load(write(text, name)) } throws: {
        "\($0)".contains(word) && "\($0)".contains(name)
      }
    }
    let array = try write("x", "a.npy")
    #expect {
      try TraceImport(array, joining: [array], with: .numpy)
    } throws: { "\($0)".contains("one by one") }
  }
}
