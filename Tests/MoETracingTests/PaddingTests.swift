import MoECore
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

/// Arrays of engines whose dense layers and unrecorded tokens hold zeros, or other fillers.
@Suite("Padding in arrays of choices")
struct PaddingTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func load<Number: BitwiseCopyable>(
    _ numbers: [Number], _ shape: [Int], _ type: String,
    _ change: (inout TraceImport.Options) -> Void = { _ in }
  ) throws -> (trace: RoutingTrace, notes: [TraceImport.Note]) {
    let path = try folder.write(NumPyBytes.file(numbers, shape, type), to: "a.npy")
    var options = TraceImport.Options()
    change(&options)
    let notes = try TraceImport(path, options: options).write(to: folder.file("t"))
    return (try RoutingTrace(folder.file("t")), notes)
  }

  /// Three tokens in three layers of 4 experts, top-2: layer 0 is dense, and the last token was not recorded.
  private let zeros: [UInt8] = [
    0, 0, 3, 1, 2, 0,
    0, 0, 0, 2, 1, 3,
    0, 0, 0, 0, 0, 0,
  ]

  @Test("layers of zeros are left out, and tokens of zeros have unused slots")
  func denseLayer() throws {
    let (trace, notes) = try load(zeros, [3, 3, 2], "|u1")
    #expect(trace.header.layers == [1, 2] && trace.tokenCount == 3 && trace.header.experts == 4)
    let none = RoutingTraceHeader.unusedSlot
    #expect(
      try trace.experts(in: 0..<3) == [3, 1, 2, 0, 0, 2, 1, 3, none, none, none, none])
    #expect(
      notes == [.layersLeftOut([0]), .expertsAssumed(4), .tokensWithoutChoices(1)])
    let report = try TraceReport(trace)
    #expect(report.layers.map(\.load) == [[1, 1, 1, 1], [1, 1, 1, 1]])
  }

  @Test("layers can be named: those of the file to keep, or their numbers in the model")
  func namedLayers() throws {
    func layers(_ wanted: [Int]) throws -> [Int] {
      try load(zeros, [3, 3, 2], "|u1") { $0.layers = wanted }.trace.header.layers
    }
    #expect(try layers([1, 2]) == [1, 2])
    #expect(try layers([2]) == [2])
    #expect(try layers([5, 9]) == [5, 9])
    for (wanted, word) in [([0, 1], "layer 0"), ([0, 1, 2], "layer 0"), ([7], "1 layers")] {
      #expect {
        try layers(wanted)
      } throws: { "\($0)".contains(word) && "\($0)".contains("a.npy") }
    }
  }

  @Test("a choice that occurs twice elsewhere is refused with its token and layer")
  func repeated() throws {
    var one = zeros
    one[6 + 4] = 3
    #expect {
      try load(one, [3, 3, 2], "|u1")
    } throws: { "\($0)".contains("token 1 chose expert 3 in layer 2 twice") }
    // Zeros in one layer of a token that has choices in another are damage, not padding.
    var two = zeros
    (two[2], two[3]) = (0, 0)
    #expect {
      try load(two, [3, 3, 2], "|u1")
    } throws: { "\($0)".contains("token 0 chose expert 0 in layer 1 twice") }
    // The writer and the reader of traces refuse it, too.
    let path = folder.file("t")
    let writer = try RoutingTraceWriter(.init(layers: [4, 6], experts: 4, k: 2), to: path)
    #expect(throws: TracingError.expertRepeated(path, token: 1, layer: 6, expert: 2)) {
      try writer.append(experts: [0, 1, 2, 3, 1, 0, 2, 2])
    }
    let good = try RoutingTraceWriter(.init(layers: [4, 6], experts: 4, k: 2), to: path)
    try good.append(experts: [0, 1, 2, 3])
    try good.finish()
    var bytes = try readBytes(path)
    bytes[bytes.count - 2] = 2
    let damaged = try RoutingTrace(folder.write(bytes, to: "t"))
    #expect(throws: TracingError.expertRepeated(path, token: 0, layer: 6, expert: 2)) {
      try damaged.validate()
    }
  }

  @Test(
    "255 in bytes is an unused slot, unless a layer has 256 experts, and asked about if nothing tells"
  )
  func bytes() throws {
    let twice: [UInt8] = [1, 255, 255, 2, 0, 255]
    let (trace, _) = try load(twice, [2, 1, 3], "|u1")
    #expect(trace.header.experts == 3 && trace.header.k == 2)
    #expect(try trace.experts(in: 0..<2) == [1, 65535, 2, 0])
    let once: [UInt8] = [1, 255, 2, 0]
    #expect { try load(once, [2, 1, 2], "|u1") } throws: { "\($0)".contains("255") }
    let all = try load(once, [2, 1, 2], "|u1") { $0.experts = 256 }.trace
    #expect(try all.experts(in: 0..<2) == [1, 255, 2, 0])
    let few = try load(once, [2, 1, 2], "|u1") { $0.experts = 4 }.trace
    #expect(try few.experts(in: 0..<2) == [1, 65535, 2, 0])
    let wide = try load([1, 65535, 2, 0] as [UInt16], [2, 1, 2], "<u2").trace
    #expect(try wide.experts(in: 0..<2) == [1, 65535, 2, 0] && wide.header.experts == 3)
  }

  @Test("slots that no token uses are left out, and a single expert of a whole layer is noted")
  func unusedSlots() throws {
    let (trace, notes) = try load(
      [0, -1, 2, -1, 0, -1, 1, -1] as [Int8], [2, 2, 2], "|i1")
    #expect(trace.header.k == 1 && notes == [.constantLayers([0]), .expertsAssumed(3)])
    #expect {
      try load([0, 0, 0, 0] as [Int8], [2, 1, 2], "|i1")
    } throws: { "\($0)".contains("no choices") }
  }
}

@Suite("Weights of choices")
struct ChoiceWeightTests {
  private let folder: TemporaryFolder
  private let ids: [Int32] = [4, 2, 1, 0, 3, 5, 5, 1, 0, 2, 4, 3]

  init() throws { folder = try TemporaryFolder() }

  private func load(_ weights: [Float], _ shape: [Int]) throws -> RoutingTrace {
    let path = try folder.write(NumPyBytes.file(ids, [2, 2, 3], "<i4"), to: "ids.npy")
    var options = TraceImport.Options()
    options.weights = try folder.write(NumPyBytes.file(weights, shape, "<f4"), to: "weights.npy")
    try TraceImport(path, options: options).write(to: folder.file("t"))
    return try RoutingTrace(folder.file("t"))
  }

  @Test("must have the axes of the choices, not only as many elements")
  func axes() throws {
    let weights = (1...12).map { Float($0) }
    #expect(try load(weights, [2, 2, 3]).experts(in: 0..<1) == [1, 2, 4, 5, 3, 0])
    for shape in [[2, 3, 2], [12], [3, 2, 2], [1, 4, 3]] {
      #expect {
        try load(weights, shape)
      } throws: { "\($0)".contains("weights.npy") && "\($0)".contains("[2, 2, 3]") }
    }
  }

  @Test("that are no weights are refused with their number and the first place")
  func refused() throws {
    for bad in [Float.nan, .infinity, -1, 1e6] {
      var weights = [Float](repeating: 0.5, count: 12)
      (weights[8], weights[10]) = (bad, bad)
      #expect {
        try load(weights, [2, 2, 3])
      } throws: {
        "\($0)".contains("2 of 12 weights") && "\($0)".contains("token 1, layer 0")
      }
    }
  }

  @Test("of a trace that are no weights are told once, with their number")
  func remark() throws {
    let writer = try RoutingTraceWriter(
      .init(layers: [0], experts: 3, k: 2), weights: true, to: folder.file("t"))
    try writer.append(
      experts: [0, 1, 2, 1, 0, 2], weights: [0.5, -0.25, .nan, 1, .infinity, 0])
    try writer.finish()
    let report = try TraceReport(RoutingTrace(folder.file("t")))
    #expect(report.diagnosis.count { $0.hasPrefix("3 weights are negative or not finite") } == 1)
  }
}
