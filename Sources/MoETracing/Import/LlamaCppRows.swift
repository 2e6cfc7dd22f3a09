import MoECore
import SystemPackage

extension TraceImporter {
  /// llama.cpp's `moe-trace`: a CSV line `layer,expert` per choice.
  public static let llamacpp = TraceImporter(
    "llamacpp", help: ".csv of llama.cpp's moe-trace",
    recognises: { path in
      try path.extension == "csv" && !TextStart(path).line.hasPrefix("layer_id,expert_id,count")
    },
    convert: { request, target in
      try request.write(LlamaCppRows(request.path, k: request.options.k), to: target)
    })
}

/// llama.cpp's `moe-trace`: a line `layer,expert` for each choice, layer after layer, pass after pass.
///
/// The file states neither where passes end nor how many experts a token has. A pass ends where
/// layer numbers stop increasing; unless given, k is the length of the shortest run of one layer,
/// which belongs to a single generated token. The last layer of a prompt often has only the last
/// token, because llama.cpp skips what no output needs.
///
/// Memory use is bounded by one pass.
struct LlamaCppRows: TraceImport.StepSource {
  private let path: FilePath
  private let file: MappedFile
  private let k: Int

  init(_ path: FilePath, k: Int?) throws {
    (self.path, file) = (path, try MappedFile(path))
    self.k = try k ?? Self.shortestRun(path, file)
  }

  func forEachStep(_ body: (TraceImport.Step) throws -> Void) throws {
    var (pass, isFirst): ([(layer: Int, experts: [Int])], Bool) = ([], true)
    func close() throws {
      guard !pass.isEmpty else { return }
      try body(TraceImport.Step(layers: pass, k: k, tokens: nil, starts: isFirst ? [0] : []))
      (pass, isFirst) = ([], false)
    }
    try Self.forEachRun(path, file) { layer, experts in
      guard experts.count.isMultiple(of: k) else {
        throw TracingError.invalidFile(
          path,
          "layer \(layer) has \(NumberText.counted(experts.count, "choice")) in a row, not a multiple of \(k) per token; specify how many experts a token has"
        )
      }
      if let last = pass.last, last.layer >= layer { try close() }
      pass.append((layer, experts))
    }
    try close()
  }

  private static func shortestRun(_ path: FilePath, _ file: MappedFile) throws -> Int {
    var shortest = Int.max
    try forEachRun(path, file) { shortest = min(shortest, $1.count) }
    return shortest == .max ? 1 : shortest
  }

  /// Calls `body` with each run of consecutive choices of one layer.
  private static func forEachRun(
    _ path: FilePath, _ file: MappedFile, _ body: (_ layer: Int, _ experts: [Int]) throws -> Void
  ) throws {
    var (layer, experts) = (-1, [Int]())
    try LineReader(file).forEachLine { number, bytes in
      if number == 1, isHeader(bytes) { return }
      guard let row = row(bytes) else {
        throw TracingError.invalidFile(path, "line \(number) is not 'layer,expert'")
      }
      if row.layer != layer, !experts.isEmpty {
        try body(layer, experts)
        experts.removeAll(keepingCapacity: true)
      }
      layer = row.layer
      experts.append(row.expert)
    }
    if !experts.isEmpty { try body(layer, experts) }
  }

  private static func isHeader(_ bytes: RawSpan) -> Bool {
    let text = (0..<min(bytes.byteCount, 64)).map { bytes.byte(at: $0) }
      .filter { $0 != 0x20 && $0 != 0x0D }
    return text.elementsEqual("layer,expert".utf8)
  }

  /// Two numbers of at most nine digits, with spaces around them; `nil` for anything else.
  private static func row(_ bytes: RawSpan) -> (layer: Int, expert: Int)? {
    var place = 0
    func skipSpaces() {
      while place < bytes.byteCount, bytes.byte(at: place) == 0x20 { place += 1 }
    }
    func number() -> Int? {
      skipSpaces()
      var (value, digits) = (0, 0)
      while place < bytes.byteCount, 0x30...0x39 ~= bytes.byte(at: place), digits < 10 {
        value = value * 10 + Int(bytes.byte(at: place) - 0x30)
        (place, digits) = (place + 1, digits + 1)
      }
      skipSpaces()
      return 1...9 ~= digits ? value : nil
    }
    guard let layer = number(), place < bytes.byteCount, bytes.byte(at: place) == 0x2C else {
      return nil
    }
    place += 1
    guard let expert = number() else { return nil }
    if place < bytes.byteCount, bytes.isReturn(at: place) { place += 1 }
    return place == bytes.byteCount ? (layer, expert) : nil
  }
}
