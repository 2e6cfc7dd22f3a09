/// What an id of an expert becomes in a trace.
///
/// No id stands for "invalid": every number of two bytes is an expert or an unused slot, so ids that are neither are
/// refused where they are read.
enum ExpertID {
  /// The slot of an id, of which -1 is an unused one; `nil` for numbers that are no ids.
  static func slot(_ id: Int) -> UInt16? {
    0..<RoutingTraceHeader.expertLimit ~= id
      ? UInt16(id) : id == -1 ? RoutingTraceHeader.unusedSlot : nil
  }

  /// Says which number is no id, and what ids may be.
  ///
  /// - Parameters:
  ///   - id: The number, as it is in the file.
  ///   - token: Its token: "token 3", or "record 2, token 3".
  ///   - layer: Its layer.
  /// - Returns: A sentence for ``TracingError/invalidFile(_:_:)``.
  static func problem(_ id: some CustomStringConvertible, _ token: String, layer: Int) -> String {
    "\(token) chose expert \(id) in layer \(layer); ids of experts are in 0…\(RoutingTraceHeader.expertLimit - 1), and -1 is an unused slot: the file is damaged, or records something else"
  }

  /// Says which number of a list is the first that is no id; `nil` if all are.
  ///
  /// - Parameters:
  ///   - ids: `[tokens, k]`.
  ///   - k: Slots per token.
  ///   - layer: Their layer.
  ///   - token: The words for a token, by its place in the list.
  /// - Returns: The sentence about it.
  static func problem(
    in ids: [Int], k: Int, layer: Int, token: (Int) -> String
  ) -> String? {
    ids.firstIndex { slot($0) == nil }.map { problem(ids[$0], token($0 / k), layer: layer) }
  }
}
