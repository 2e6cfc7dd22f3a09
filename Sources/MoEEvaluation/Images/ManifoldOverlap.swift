import MoECore
public import MoETensor

/// Precision and recall of one set of vectors with respect to another.
///
/// The region of a set is the union of balls around its vectors, with the distance to the vector's
/// k-th nearest neighbour in the set as radius.
///
/// - SeeAlso: Kynkäänniemi et al. 2019, *Improved Precision and Recall Metric for Assessing
///   Generative Models*, §2, [arXiv:1904.06991](https://arxiv.org/abs/1904.06991).
public struct ManifoldOverlap: Hashable, Codable, Sendable {
  /// The fraction of generated vectors in the region of the real ones: how real they look.
  public var precision: Double
  /// The fraction of real vectors in the region of the generated ones: how much of reality is
  /// covered.
  public var recall: Double

  /// The number of rows whose distances are computed together.
  private static let blockSize = 1024

  /// Compares two sets.
  ///
  /// - Parameters:
  ///   - made: Shape `[vectors, width]`.
  ///   - real: Shape `[vectors, width]`.
  ///   - neighbours: k, at least 1 and below the number of vectors in each set.
  /// - Complexity: O(vectors² · width), in f64.
  public init(made: Tensor, real: Tensor, neighbours: Int = 3) {
    precondition(
      neighbours >= 1 && neighbours < Swift.min(made.size(0), real.size(0)),
      "\(neighbours) neighbours among \(made.size(0)) and \(real.size(0)) vectors")
    let (made, real) = (made.cast(to: .f64), real.cast(to: .f64))
    precision = Self.share(of: made, inside: real, neighbours)
    recall = Self.share(of: real, inside: made, neighbours)
  }

  private static func share(of vectors: Tensor, inside set: Tensor, _ neighbours: Int) -> Double {
    withoutGradients {
      // The nearest vector in the set to each of its vectors is the vector itself.
      let radii = Tensor.concatenated(
        blocks(of: set).map {
          $0.squaredDistances(to: set).sorted(axis: 1).values.at(neighbours, axis: 1)
        },
        axis: 0)
      let inside = blocks(of: vectors).map { rows in
        (rows.squaredDistances(to: set) .<= radii).cast(to: .f64).max(axis: 1).sum().item(
          as: Double.self)
      }
      return inside.reduce(0, +) / Double(vectors.size(0))
    }
  }

  private static func blocks(of set: Tensor) -> [Tensor] {
    stride(from: 0, to: set.size(0), by: blockSize).map {
      set[$0..<Swift.min($0 + blockSize, set.size(0))]
    }
  }
}
