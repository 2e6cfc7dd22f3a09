package import MoETensor

extension DiffusionTransformer {
  /// Labels, of which the fraction `labelDropout` is replaced by the null label, if there is one.
  package func withLabelsDropped(_ labels: [Int], random: RandomSource) -> [Int] {
    guard let null = nullLabel else { return labels }
    let numbers = random.uniform([labels.count]).array(of: Float.self)
    let share = Float(configuration.labelDropout)
    return zip(labels, numbers).map { $1 < share ? null : $0 }
  }
}
