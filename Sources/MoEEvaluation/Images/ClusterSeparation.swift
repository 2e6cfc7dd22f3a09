import MoECore
public import MoETensor

/// How clearly vectors separate into unlabelled clusters.
///
///     ratio = mean distance between centres / mean distance of vectors to the centre of their cluster
///
/// Clusters come from k-means: Lloyd's iterations from random vectors, the best of several starts.
///
/// - SeeAlso: *Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing
///   Guidance*, §2.2, which reports such ratios for tokens of language and image models without a
///   formula, [arXiv:2510.24711](https://arxiv.org/abs/2510.24711).
public enum ClusterSeparation {
  private static let starts = 4
  private static let iterations = 50

  /// The ratio for some vectors.
  ///
  /// - Parameters:
  ///   - vectors: Shape `[vectors, width]`, more than `clusters` of them.
  ///   - clusters: Number of clusters, at least 2.
  ///   - seed: The seed of the initial centres.
  /// - Returns: The ratio; 0 if all vectors are equal.
  public static func ratio(of vectors: Tensor, clusters: Int = 10, seed: UInt64 = 0) -> Double {
    precondition(
      clusters >= 2 && vectors.size(0) > clusters, "\(clusters) clusters of \(vectors.shape)")
    return withoutGradients {
      let (x, random) = (vectors.cast(to: .f64), RandomSource(seed: seed))
      let found = (0..<starts).map { _ in cluster(x, clusters, random) }
      guard let best = found.min(by: { $0.spread < $1.spread }) else { return 0 }
      let own = best.centres.selecting(best.members)
      let intra = (x - own).norm(axis: 1).mean().item(as: Double.self)
      let between = best.centres.squaredDistances(to: best.centres).sqrt().sum().item(
        as: Double.self)
      let inter = between / Double(clusters * (clusters - 1))
      return intra > 0 ? inter / intra : 0
    }
  }

  private static func cluster(
    _ x: Tensor, _ clusters: Int, _ random: RandomSource
  ) -> (centres: Tensor, members: Tensor, spread: Double) {
    var centres = x.selecting(random.permutation(x.size(0))[0..<clusters])
    var members = (-x.squaredDistances(to: centres)).argmax(axis: 1)
    for _ in 0..<iterations {
      let belongs = members.oneHot(classes: clusters).cast(to: .f64)  // [vectors, clusters]
      let counts = belongs.sum(axis: 0).reshaped([clusters, 1])
      let means = belongs.transposed().matmul(x) / counts.clamped(min: 1)
      // A centre without vectors is unchanged.
      centres = (counts .> 0).select(means, else: centres)
      let next = (-x.squaredDistances(to: centres)).argmax(axis: 1)
      let isStable = (next .== members).all()
      members = next
      if isStable { break }
    }
    let rest = x - centres.selecting(members)
    return (centres, members, (rest * rest).sum().item(as: Double.self))
  }
}
