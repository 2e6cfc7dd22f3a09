package import MoETensor

extension DiffusionTransformer {
  /// Labels of which the share that training leaves out is replaced by the null label, where there is one.
  package func withLabelsDropped(_ labels: [Int], random: RandomSource) -> [Int] {
    guard let null = nullLabel else { return labels }
    let numbers = random.uniform([labels.count]).array(of: Float.self)
    let share = Float(configuration.labelDropout)
    return zip(labels, numbers).map { $1 < share ? null : $0 }
  }
}
