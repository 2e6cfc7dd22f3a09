extension ExpertKind {
  /// A gated recurrent unit (GRU) over the sequence, and a linear layer on its last state.
  public static let recurrent = ExpertKind("gru", reading: .sequence) { expert in
    let size = expert.size
    let input = try expert.weight("gru.weight_ih_l0", [3 * size, expert.width], summed: size)
    let inputBias = try expert.weight("gru.bias_ih_l0", [3 * size], summed: size)
    let hidden = try expert.weight("gru.weight_hh_l0", [3 * size, size], summed: size)
    let hiddenBias = try expert.weight("gru.bias_hh_l0", [3 * size], summed: size)
    return RecurrentExpert(
      .init(input: input, hidden: hidden, inputBias: inputBias, hiddenBias: hiddenBias),
      output: try expert.linear("output", expert.outputs, size))
  }
}
