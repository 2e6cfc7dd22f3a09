extension Tensor {
  /// The states of gated recurrent units after the last row of every sequence, starting from zeros.
  ///
  /// The same units as in ``gru(_:initial:)``, for sequences of different lengths without padding:
  /// this tensor holds the rows of all sequences, one sequence after another, shape
  /// `[Σ lengths, inputs]`.
  ///
  /// - Parameters:
  ///   - weights: W and b.
  ///   - lengths: The number of rows of each sequence, at least 1.
  /// - Returns: Shape `[sequences, hidden]`.
  /// - Complexity: One product for the inputs of all rows, and one product per step for all
  ///   sequences that reach it.
  public func lastStates(_ weights: GRUWeights, lengths: [Int]) -> Tensor {
    let hidden = weights.hidden.size(1)
    require(
      lengths.allSatisfy { $0 >= 1 } && lengths.reduce(0, +) == size(0),
      "sequences of \(lengths.prefix(8)) rows in a tensor of shape \(shape)")
    guard !lengths.isEmpty else { return Tensor.zeros([0, hidden], dtype: dtype, on: device) }
    let projections = linear(weights.input, bias: weights.inputBias)  // [rows, 3 · hidden]
    let recurrence = Recurrence(lengths: lengths, hidden: hidden)
    return recurrence.run(projections, weights.hidden, weights.hiddenBias)
      ?? recurrence.runPlainly(projections, weights.hidden, weights.hiddenBias)
  }
}

/// Sequences of different lengths, longest first.
struct Recurrence {
  let lengths: [Int]
  let hidden: Int
  /// Indices of the sequences, longest first; equal lengths keep their order.
  let order: [Int]
  /// The first row of each sequence.
  let starts: [Int]

  init(lengths: [Int], hidden: Int) {
    (self.lengths, self.hidden) = (lengths, hidden)
    order = lengths.indices.sorted { (-lengths[$0], $0) < (-lengths[$1], $1) }
    var (starts, next) = ([Int](), 0)
    for length in lengths {
      starts.append(next)
      next += length
    }
    self.starts = starts
  }

  /// The definition: step by step, for all sequences that reach the step; differentiable by
  /// libtorch.
  ///
  /// - Parameters:
  ///   - projections: The input's contribution to all gates, `[rows, 3 · hidden]`.
  ///   - weight: Applied to the state, `[3 · hidden, hidden]`.
  ///   - bias: Added to the state's contribution, `[3 · hidden]`.
  /// - Returns: Shape `[sequences, hidden]`.
  func runPlainly(_ projections: Tensor, _ weight: Tensor, _ bias: Tensor) -> Tensor {
    var state = Tensor.zeros(
      [lengths.count, hidden], dtype: projections.dtype, on: projections.device)
    for step in 0..<(order.first.map { lengths[$0] } ?? 0) {
      let active = order.prefix { lengths[$0] > step }
      let rows = Tensor(active.map { starts[$0] + step }).moved(to: projections.device)
      let inputs = projections.selecting(rows).split(count: 3, axis: 1)
      let before = state[0..<active.count]
      let products = before.linear(weight, bias: bias).split(count: 3, axis: 1)
      let reset = (inputs[0] + products[0]).sigmoid()
      let update = (inputs[1] + products[1]).sigmoid()
      let new = (inputs[2] + reset * products[2]).tanh()
      let after = new + update * (before - new)
      let finished = state[active.count..<order.count]
      state = finished.size(0) == 0 ? after : Tensor.concatenated([after, finished], axis: 0)
    }
    var places = [Int](repeating: 0, count: order.count)
    for (place, sequence) in order.enumerated() { places[sequence] = place }
    return state.selecting(Tensor(places).moved(to: projections.device))
  }
}
