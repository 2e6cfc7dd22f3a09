import MoECore

/// The matrix `P (W + D) P` of a ``PairDecomposition``, applied without being stored.
struct CentredPair {
  let share: [Double]
  let shift: [Double]
  let size: Int

  /// The matrix times a vector.
  func times(_ vector: [Double]) -> [Double] {
    let centred = self.centred(vector)
    var result = zip(shift, centred).map { $0 * $1 }
    for i in 0..<size {
      result[i] += Runs.dot(share, at: i * size, centred, at: size, count: size)
      Runs.add(share, at: i * size, times: centred[i], to: &result, at: size, count: size)
    }
    return self.centred(result)
  }

  /// A vector with the mean of each half subtracted.
  func centred(_ vector: [Double]) -> [Double] {
    let first = vector[..<size].reduce(0, +) / Double(size)
    let second = vector[size...].reduce(0, +) / Double(size)
    return vector.indices.map { vector[$0] - ($0 < size ? first : second) }
  }

  /// All entries, `[2 · size · 2 · size]`.
  var matrix: [Double] {
    var result: [Double] = []
    for i in 0..<2 * size {
      result += times((0..<2 * size).map { $0 == i ? 1 : 0 })
    }
    return result
  }
}

/// Vectors that approximately span the leading eigenspace of a changing matrix.
///
/// Each step takes the best combinations of the vectors, the matrix times them, and the matrix
/// times those (Rayleigh–Ritz), which is enough to track a slowly changing matrix.
///
/// - SeeAlso: Saad 2011, *Numerical Methods for Large Eigenvalue Problems*, chapters 5 and 6.
struct LeadingSpace {
  private let size: Int
  private let count: Int
  /// More than are needed, because vectors that change rank with the last ones must not be lost.
  private var vectors: [[Double]]

  /// Orthonormal, `[count][size]`.
  var leading: ArraySlice<[Double]> { vectors.prefix(count) }

  /// Starts from arbitrary vectors.
  init(size: Int, count: Int) {
    (self.size, self.count) = (size, count)
    var generator = SeededGenerator(seed: 1)
    vectors = (0..<count + 4).map { _ in
      (0..<size).map { _ in Double.random(in: -1...1, using: &generator) }
    }
  }

  /// The approximate number of operations of ``follow(_:)``.
  var workPerStep: Double {
    let (n, q) = (Double(size), Double(3 * (count + 4)))
    return n * n * q / 2 * 5 / 3 + 4 * n * q * q + 30 * q * q * q
  }

  /// Adapts to a matrix; returns approximations of its largest eigenvalues, none too large.
  mutating func follow(_ pair: CentredPair) -> [Double] {
    var basis: [[Double]] = []
    var images: [[Double]] = []
    var wave = vectors.map(pair.centred)
    for round in 0..<3 {
      var next: [[Double]] = []
      for vector in wave {
        guard let new = Self.orthonormal(vector, to: basis) else { continue }
        let image = pair.times(new)
        basis.append(new)
        images.append(image)
        if round < 2 { next.append(image) }
      }
      wave = next
    }
    let order = basis.count
    var small = [Double](repeating: 0, count: order * order)
    for i in 0..<order {
      for j in 0...i {
        let product = Runs.dot(basis[i], at: 0, images[j], at: 0, count: size)
        (small[i * order + j], small[j * order + i]) = (product, product)
      }
    }
    let (values, combinations) = JacobiRotations.solve(small, size: order)
    let best = values.indices.sorted { values[$0] > values[$1] }.prefix(vectors.count)
    vectors = best.map { column in
      var vector = [Double](repeating: 0, count: size)
      for row in 0..<order {
        Runs.add(
          basis[row], at: 0, times: combinations[column * order + row], to: &vector, at: 0,
          count: size)
      }
      return vector
    }
    return best.prefix(count).map { values[$0] }
  }

  /// The component of a vector orthogonal to a basis, with length 1; `nil` if it is zero.
  private static func orthonormal(_ vector: [Double], to basis: [[Double]]) -> [Double]? {
    var result = vector
    let count = vector.count
    let before = Runs.dot(result, at: 0, result, at: 0, count: count).squareRoot()
    guard before > 0 else { return nil }
    // Two passes give orthogonality up to rounding.
    for _ in 0..<2 {
      for other in basis {
        let product = Runs.dot(result, at: 0, other, at: 0, count: count)
        Runs.add(other, at: 0, times: -product, to: &result, at: 0, count: count)
      }
    }
    let length = Runs.dot(result, at: 0, result, at: 0, count: count).squareRoot()
    guard length > 1e-8 * before else { return nil }
    return result.map { $0 / length }
  }
}

/// Eigenvalues and eigenvectors of small symmetric matrices by Jacobi rotations.
///
/// - SeeAlso: Golub and Van Loan 2013, *Matrix Computations*, section 8.5.
enum JacobiRotations {
  /// Eigenvalues in no particular order, and the vectors, `[size · size]`, one after another.
  static func solve(_ matrix: [Double], size: Int) -> (values: [Double], vectors: [Double]) {
    var a = matrix
    var vectors = [Double](repeating: 0, count: size * size)
    for i in 0..<size { vectors[i * size + i] = 1 }
    let total = Runs.dot(a, at: 0, a, at: 0, count: a.count)
    for _ in 0..<30 {
      var beside = 0.0
      for i in 0..<size { for j in 0..<i { beside += a[i * size + j] * a[i * size + j] } }
      if beside <= 1e-22 * total { break }
      for p in 0..<size {
        for q in p + 1..<max(p + 1, size) { rotate(&a, &vectors, p, q, size) }
      }
    }
    return ((0..<size).map { a[$0 * size + $0] }, vectors)
  }

  private static func rotate(
    _ a: inout [Double], _ vectors: inout [Double], _ p: Int, _ q: Int, _ size: Int
  ) {
    let beside = a[p * size + q]
    guard beside != 0 else { return }
    let ratio = (a[q * size + q] - a[p * size + p]) / (2 * beside)
    let tangent = (ratio < 0 ? -1 : 1) / (ratio.magnitude + (ratio * ratio + 1).squareRoot())
    let cosine = 1 / (tangent * tangent + 1).squareRoot()
    let sine = tangent * cosine
    for k in 0..<size {
      let (x, y) = (a[k * size + p], a[k * size + q])
      (a[k * size + p], a[k * size + q]) = (cosine * x - sine * y, sine * x + cosine * y)
    }
    for k in 0..<size {
      let (x, y) = (a[p * size + k], a[q * size + k])
      (a[p * size + k], a[q * size + k]) = (cosine * x - sine * y, sine * x + cosine * y)
    }
    for k in 0..<size {
      let (x, y) = (vectors[p * size + k], vectors[q * size + k])
      (vectors[p * size + k], vectors[q * size + k]) = (
        cosine * x - sine * y, sine * x + cosine * y
      )
    }
  }
}
