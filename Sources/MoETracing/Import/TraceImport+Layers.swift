import MoECore

extension TraceImport {
  /// What an import assumed or left out, to be told once.
  public enum Note: Hashable, Sendable {
    /// Layers that hold padding only.
    case layersLeftOut([Int])
    /// The number of tokens that have choices in no layer; their slots are unused.
    case tokensWithoutChoices(Int)
    /// Nothing said how many experts a layer has, so it is the largest index plus 1.
    case expertsAssumed(Int)
    /// Nothing said how many experts a token has.
    case slotsAssumed(Int)
    /// Layers all of whose tokens chose one and the same expert; they may be dense.
    case constantLayers([Int])
  }

  /// A layer of the file and its number in the trace.
  struct Column: Hashable {
    /// The place among the file's layers.
    var place: Int
    /// The index of the layer in the model.
    var layer: Int
  }

  /// The layers to write: those that the options name, or all that have choices.
  ///
  /// The options either name all layers of the file, or those of them that have choices, or some of the layers that the
  /// file names itself.
  ///
  /// - Parameters:
  ///   - found: The file's layers, ascending.
  ///   - surveys: What was found in each.
  /// - Returns: The layers in the order of the trace.
  /// - Throws: ``TracingError/invalidRequest(_:)``, or ``TracingError/expertRepeated(_:token:layer:expert:)`` when a
  ///   token has choices in some of the layers to write and zeros in another.
  func columns(_ found: [Int], _ surveys: [LayerSurvey]) throws -> [Column] {
    let all = found.enumerated().map { Column(place: $0.offset, layer: $0.element) }
    let kept = all.filter { surveys[$0.place].hasChoices }
    guard !kept.isEmpty else {
      throw TracingError.invalidRequest(
        "it has no choices: every slot is unused, or every token chose expert 0 in all slots")
    }
    let result = try options.layers.map { try named($0, all, kept) } ?? kept
    if let empty = result.first(where: { !surveys[$0.place].hasChoices }) {
      throw TracingError.invalidRequest(
        "layer \(empty.layer) has no choices, only padding: every slot is unused or holds expert 0, which a token cannot choose twice; name the other layers"
      )
    }
    for column in result {
      if let token = surveys[column.place].firstZeros {
        throw TracingError.expertRepeated(path, token: token, layer: column.layer, expert: 0)
      }
    }
    let missing = all.filter { !surveys[$0.place].hasChoices }.map(\.layer)
    if options.layers == nil, !missing.isEmpty { note(.layersLeftOut(missing)) }
    let constant = result.filter { surveys[$0.place].constant != nil }.map(\.layer)
    if !constant.isEmpty, constant.count < result.count { note(.constantLayers(constant)) }
    return result
  }

  private func named(_ layers: [Int], _ all: [Column], _ kept: [Column]) throws -> [Column] {
    func renamed(_ columns: [Column]) -> [Column] {
      zip(columns, layers).map { Column(place: $0.place, layer: $1) }
    }
    if layers.count == all.count { return renamed(all) }
    let chosen = layers.compactMap { layer in all.first { $0.layer == layer } }
    if chosen.count == layers.count { return chosen }
    if layers.count == kept.count { return renamed(kept) }
    throw TracingError.invalidRequest(
      "\(layers.count) layers are named, but \(path) has \(all.count), \(kept.count) of them with choices; name these, or some of \(Self.short(all.map(\.layer)))"
    )
  }

  private static func short(_ ids: [Int]) -> String {
    ids.count <= 8
      ? ids.map(String.init).joined(separator: ", ")
      : "the \(ids.count) from \(ids[0]) to \(ids[ids.count - 1])"
  }

  /// The number of experts: from the options, else from the file, else the largest index plus 1, which is noted.
  func expertCount(_ known: Int?, largest: Int) -> Int {
    if let experts = options.experts ?? known { return experts }
    note(.expertsAssumed(largest + 1))
    return largest + 1
  }
}
