import Foundation
import MoECore
import MoETensor

/// Fixed sinusoidal embeddings of positions and times.
enum DiffusionEmbeddings {
  private static let base = 10000.0
  /// Width of the embedding of a time.
  static let timeWidth = 256

  /// The positions of a square of patches, row by row: shape `[rows², width]`, row-major.
  ///
  /// The first half of the width describes the column, the second the row, each as sines, then cosines.
  ///
  /// - SeeAlso: Peebles and Xie 2022, *Scalable Diffusion Models with Transformers*, §3.2,
  ///   [arXiv:2212.09748](https://arxiv.org/abs/2212.09748); the order of the axes is that of its code.
  static func positions(rows: Int, width: Int) -> [Float] {
    let count = width / 4
    let frequencies = (0..<count).map { pow(base, -Double($0) / Double(count)) }
    let axis = (0..<rows).map { place in
      frequencies.map { Float(sin(Double(place) * $0)) }
        + frequencies.map { Float(cos(Double(place) * $0)) }
    }
    return (0..<rows).flatMap { row in (0..<rows).flatMap { axis[$0] + axis[row] } }
  }

  /// Cosines, then sines, of times.
  ///
  /// - Parameter times: From 0 to 1000, not necessarily integers; f32, shape `[times]`.
  /// - Returns: Shape `[times, 256]`, f32.
  static func times(_ times: Tensor) -> Tensor {
    let half = timeWidth / 2
    let frequencies = (Tensor.range(0..<half).cast(to: .f32) * -log(base) / half).exp()
    let angles = times.expandingAxis(1) * frequencies.moved(to: times.device)
    return Tensor.concatenated([angles.cos(), angles.sin()], axis: 1)
  }
}
