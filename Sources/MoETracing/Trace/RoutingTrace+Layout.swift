import MoECore

extension RoutingTrace {
  /// The tensors of a trace, checked against one another.
  struct Layout {
    let header: RoutingTraceHeader
    let tokenCount: Int
    let hasWeights: Bool
    let hasTokens: Bool

    init(_ file: SafetensorsFile) throws {
      guard let text = file.header.metadata["switchyard"] else {
        throw TracingError.notATrace(
          file.path,
          "its metadata have no entry 'switchyard'; name a routing trace"
        )
      }
      do {
        header = try RoutingTraceHeader(json: text)
      } catch let refusal as Refusal {
        throw Refusal("its metadata entry 'switchyard' is broken: \(refusal.text)")
      }
      guard file.contains("experts") else {
        throw Refusal("it has no tensor 'experts', so it is not a routing trace")
      }
      let entry = try file.entry(named: "experts")
      guard entry.dtype == .u16, entry.shape.count == 3,
        entry.shape[1] == header.layers.count, entry.shape[2] == header.k
      else {
        throw Refusal(
          "'experts' is \(entry.dtype) \(entry.shape); expected u16 [tokens, \(header.layers.count), \(header.k)], as the metadata says"
        )
      }
      tokenCount = entry.shape[0]
      hasWeights = try Self.has("weights", .f16, entry.shape, in: file)
      hasTokens = try Self.has("tokens", .i32, [tokenCount], in: file)
      for name in ["experts", "weights", "tokens"] where file.contains(name) {
        let tensor = try file.entry(named: name)
        guard file.start(of: tensor) % tensor.dtype.byteSize == 0 else {
          throw Refusal(
            "'\(name)' does not begin at a multiple of its element size; write the file again")
        }
      }
    }

    private static func has(
      _ name: String, _ dtype: DType, _ shape: [Int], in file: SafetensorsFile
    ) throws -> Bool {
      guard file.contains(name) else { return false }
      let entry = try file.entry(named: name)
      guard entry.dtype == dtype, entry.shape == shape else {
        throw Refusal("'\(name)' is \(entry.dtype) \(entry.shape); expected \(dtype) \(shape)")
      }
      return true
    }

    /// The starts, prompt lengths and sources of the sequences.
    func sequences(
      of file: SafetensorsFile
    ) throws -> (starts: [Int], prompts: [Int]?, sources: [Int]?) {
      let starts = try integers("sequence_starts", in: file) ?? (tokenCount == 0 ? [] : [0])
      guard starts.first ?? 0 == 0, zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 }),
        starts.last ?? 0 < max(tokenCount, 1), tokenCount == 0 || !starts.isEmpty
      else {
        throw Refusal("'sequence_starts' must begin with 0 and increase, below \(tokenCount)")
      }
      let lengths = zip(starts, starts.dropFirst() + [tokenCount]).map { $1 - $0 }
      let prompts = try integers("prompt_lengths", in: file)
      if let prompts {
        guard prompts.count == starts.count, zip(prompts, lengths).allSatisfy({ 0...$1 ~= $0 })
        else {
          throw Refusal(
            "'prompt_lengths' must hold one length for each of the \(starts.count) sequences, none longer than its sequence"
          )
        }
      }
      let sources = try integers("sequence_sources", in: file)
      if let sources {
        guard sources.count == starts.count,
          sources.allSatisfy({ $0 >= -1 && $0 < header.sources.count })
        else {
          throw Refusal(
            "'sequence_sources' must hold, for each of the \(starts.count) sequences, a place in the \(header.sources.count) 'sources' or -1"
          )
        }
      }
      return (starts, prompts, sources)
    }

    /// The elements of a one-dimensional i64 or i32 tensor, or `nil` if there is none.
    private func integers(_ name: String, in file: SafetensorsFile) throws -> [Int]? {
      guard file.contains(name) else { return nil }
      let entry = try file.entry(named: name)
      guard [.i64, .i32].contains(entry.dtype), entry.shape.count == 1 else {
        throw Refusal("'\(name)' is \(entry.dtype) \(entry.shape); expected i64 [sequences]")
      }
      let size = entry.dtype.byteSize
      return try file.withBytes(of: name) { bytes in
        (0..<entry.count).map { place in
          size == 8
            ? Int(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place * 8, as: Int64.self))
            : Int(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place * 4, as: Int32.self))
        }
      }
    }
  }
}
