import MoECore
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

/// A file whose bytes are experts of one layer, one per token.
private struct ByteRecords: TraceImport.StepSource {
  let bytes: [UInt8]

  func forEachStep(_ body: (TraceImport.Step) throws -> Void) throws {
    try body(TraceImport.Step(layers: [(0, bytes.map { Int($0) })], k: 1, starts: [0]))
  }
}

@Suite("The registry of trace importers")
struct TraceImporterTests {
  @Test("takes an importer from outside the library, by name and by the file's name")
  func toyImporter() throws {
    TraceImporters.registry.register(
      TraceImporter(
        "bytes-of-a-test", help: ".experts with a byte per token",
        recognises: { $0.extension == "experts" },
        convert: { request, target in
          try request.write(ByteRecords(bytes: readBytes(request.path)), to: target)
        }))
    let folder = try TemporaryFolder()
    let path = try folder.write([2, 0, 1], to: "a.experts")
    let named = try #require(TraceImporters.registry["bytes-of-a-test"])
    for importer in [nil, named] {
      try TraceImport(path, with: importer).write(to: folder.file("t"))
      let trace = try RoutingTrace(folder.file("t"))
      #expect(try trace.experts(in: 0..<3) == [2, 0, 1])
      #expect(trace.header.experts == 3 && trace.header.source == "bytes-of-a-test: a.experts")
    }
  }

  @Test("refuses a file that no importer recognises, and lists the names")
  func unknown() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([1], to: "a.unknown")
    // Read first: a test that runs meanwhile may add another.
    let names = TraceImporters.registry.names
    let error = #expect(throws: TracingError.self) { try TraceImport(path) }
    for name in names {
      #expect("\(error, default: "")".contains(name))
    }
  }
}
