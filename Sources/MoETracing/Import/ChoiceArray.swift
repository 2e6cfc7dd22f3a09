import MoECore

/// An `.npy` array of choices and, if there is one, that of their weights, read block by block.
struct ChoiceArray {
  let tokens: Int
  let layers: Int
  let k: Int
  let weights: NumPyFile?
  private let file: NumPyFile
  /// The id of unused slots besides those that the array's type tells.
  private var unusedID: UInt16?

  /// The number of tokens of a block.
  private static let block = 1 << 14

  /// Opens the files of a request.
  ///
  /// - Throws: ``TracingError`` for arrays of other shapes.
  init(_ request: TraceImport, axes: [String]) throws {
    file = try NumPyFile(request.path)
    guard file.shape.count == axes.count, file.shape.dropFirst().allSatisfy({ 1...4096 ~= $0 })
    else {
      throw TracingError.invalidFile(
        request.path, "its shape is \(file.shape); expected [\(axes.joined(separator: ", "))]")
    }
    (tokens, layers) = (file.shape[0], file.shape[1])
    k = axes.count == 3 ? file.shape[2] : 1
    weights = try request.options.weights.map { try NumPyFile($0) }
    if let weights, weights.shape != file.shape {
      throw TracingError.invalidFile(
        request.options.weights ?? request.path,
        "its shape is \(weights.shape), but that of the choices is \(file.shape); expected [\(axes.joined(separator: ", "))], too"
      )
    }
    if file.hasByteIDs { unusedID = try unusedByte(experts: request.options.experts) }
  }

  /// A run of tokens.
  struct Block {
    /// The first token's index in the array.
    let first: Int
    /// The number of tokens.
    let count: Int
    /// `[tokens, layers, k]`, 65535 in unused slots.
    let experts: [UInt16]
    /// Weights in the same order, if there are any.
    let weights: [Double]?
    fileprivate let layers: Int
    fileprivate let k: Int

    /// The places of a token's slots in a layer.
    func slots(_ token: Int, _ layer: Int) -> Range<Int> {
      let start = (token * layers + layer) * k
      return start..<start + k
    }
  }

  /// Calls `body` with one block of tokens after another.
  func forEachBlock(_ range: Range<Int>, _ body: (Block) throws -> Void) throws {
    let width = layers * k
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.block) {
      let end = min(start + Self.block, range.upperBound)
      var experts = try file.experts(start * width..<end * width)
      if let unusedID {
        for place in experts.indices where experts[place] == unusedID { experts[place] = .max }
      }
      try body(
        Block(
          first: start, count: end - start, experts: experts,
          weights: weights?.floats(start * width..<end * width), layers: layers, k: k))
      file.discardPages()
      weights?.discardPages()
    }
  }

  /// Decides what 255 means in an array of bytes: an expert, or -1 as a byte.
  ///
  /// - Throws: ``TracingError/invalidRequest(_:)`` when nothing tells.
  private func unusedByte(experts: Int?) throws -> UInt16? {
    let byte = UInt16(UInt8.max)
    if let experts { return experts <= Int(byte) ? byte : nil }
    var (occurs, repeats) = (false, false)
    try forEachBlock(0..<tokens) { block in
      guard !repeats, block.experts.contains(byte) else { return }
      occurs = true
      for start in stride(from: 0, to: block.experts.count, by: k) {
        if block.experts[start..<start + k].count(where: { $0 == byte }) > 1 { repeats = true }
      }
    }
    guard occurs else { return nil }
    guard repeats else {
      throw TracingError.invalidRequest(
        "it holds 255, which is expert 255 or, as a byte, an unused slot; specify how many experts a layer has"
      )
    }
    return byte
  }
}

extension ChoiceArray.Block {
  /// The rows of some layers as a trace stores them: used slots first, the best of them first where weights tell; unused
  /// slots in place of padding.
  ///
  /// - Precondition: Layers and `width` come from a survey of the whole array.
  func packed(
    _ columns: [TraceImport.Column], k width: Int
  ) -> (experts: [UInt16], weights: [Float16]?) {
    var rows = [UInt16](repeating: .max, count: count * columns.count * width)
    var factors = weights.map { _ in [Float16](repeating: 0, count: rows.count) }
    var used: [(expert: UInt16, weight: Double)] = []
    for token in 0..<count {
      for (index, column) in columns.enumerated() {
        let range = slots(token, column.place)
        guard LayerSurvey.Row(experts[range]) == .choices else { continue }
        used.removeAll(keepingCapacity: true)
        for slot in range where experts[slot] != RoutingTraceHeader.unusedSlot {
          used.append((experts[slot], weights?[slot] ?? 0))
        }
        if weights != nil { SlotOrder.sort(&used) }
        let start = (token * columns.count + index) * width
        for (slot, choice) in used.enumerated() {
          rows[start + slot] = choice.expert
          factors?[start + slot] = Float16(choice.weight)
        }
      }
    }
    return (rows, factors)
  }
}
