import Foundation
import MoECore
public import MoETensor

/// How certain a classifier is of single images, and how evenly its classes are used.
///
///     score = exp(mean of KL(p(class | image) ‖ mean of p))
///
/// It is between 1 and the number of classes. With Inception-v3 on ImageNet it is the Inception
/// Score; values of another classifier are comparable only with each other.
///
/// - SeeAlso: Salimans et al. 2016, *Improved Techniques for Training GANs*, §4,
///   [arXiv:1606.03498](https://arxiv.org/abs/1606.03498).
public struct InceptionScore: Hashable, Codable, Sendable {
  /// The mean over the parts.
  public var mean: Double
  /// The standard deviation over the parts; 0 for a single part.
  public var deviation: Double

  /// Computes the score of a classifier's outputs.
  ///
  /// - Parameters:
  ///   - logits: Scores before the softmax, shape `[images, classes]`.
  ///   - parts: The number of consecutive parts whose scores are averaged; at most the number of
  ///     images.
  public init(logits: Tensor, parts: Int = 10) {
    let count = logits.size(0)
    precondition(1...Swift.max(1, count) ~= parts && count > 0, "\(parts) parts of \(count) images")
    let all = withoutGradients { logits.cast(to: .f64).logSoftmax(axis: 1) }
    let scores: [Double] = (0..<parts).map { part in
      withoutGradients {
        let rows = all[part * count / parts..<(part + 1) * count / parts]
        let shares = rows.exp()
        // Probabilities can be 0, and 0 · log 0 counts as 0.
        let mean = shares.mean(axis: 0, keepAxes: true).clamped(min: 1e-300).log()
        return exp((shares * (rows - mean)).sum(axis: 1).mean().item(as: Double.self))
      }
    }
    let mean = scores.reduce(0, +) / Double(parts)
    self.mean = mean
    let squares = scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    deviation = (squares / Double(parts)).squareRoot()
  }
}
