extension ExpertKind {
  /// Two linear layers with tanh in between, on the pooled view.
  public static let feedForward = ExpertKind("ff", reading: .pooled) { expert in
    FeedForward(
      gate: nil, up: try expert.linear("up_proj", expert.size, expert.width),
      down: try expert.linear("down_proj", expert.outputs, expert.size), activation: .tanh)
  }
}
