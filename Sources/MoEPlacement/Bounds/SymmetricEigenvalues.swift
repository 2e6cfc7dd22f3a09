/// Eigenvalues of symmetric matrices, without eigenvectors.
///
/// Householder reduction to tridiagonal form, then bisection on the number of negative pivots
/// (Sturm sequence), which is slow but always converges.
///
/// - SeeAlso: Golub and Van Loan 2013, *Matrix Computations*, sections 8.3 and 8.4.
enum SymmetricEigenvalues {
  /// The squares of the `count` largest singular values of a square matrix, largest first.
  static func ofGram(_ matrix: [Double], size: Int, largest count: Int) -> [Double] {
    var gram = [Double](repeating: 0, count: size * size)
    for i in 0..<size {
      for j in 0...i {
        let product = Runs.dot(matrix, at: i * size, matrix, at: j * size, count: size)
        (gram[i * size + j], gram[j * size + i]) = (product, product)
      }
    }
    return largest(count, of: gram, size: size)
  }

  /// The `number` largest eigenvalues, largest first, each at most a rounding error too small.
  ///
  /// - Complexity: O(size³).
  static func largest(_ number: Int, of matrix: [Double], size: Int) -> [Double] {
    let (diagonal, beside) = tridiagonal(matrix, size: size)
    var radius = 0.0
    for i in 0..<size {
      let reach = (i > 0 ? beside[i - 1].magnitude : 0) + (i < size - 1 ? beside[i].magnitude : 0)
      radius = max(radius, diagonal[i].magnitude + reach)
    }
    let number = min(number, size)
    guard radius > 0 else { return Array(repeating: 0, count: number) }
    return (0..<number).map { place in
      var (low, high) = (-radius, radius)
      for _ in 0..<60 {
        let middle = (low + high) / 2
        let isAbove = count(below: middle, diagonal, beside) > size - 1 - place
        if isAbove { high = middle } else { low = middle }
      }
      return high
    }
  }

  private static func count(below x: Double, _ diagonal: [Double], _ beside: [Double]) -> Int {
    var (found, pivot) = (0, 1.0)
    for i in diagonal.indices {
      let link = i > 0 ? beside[i - 1] * beside[i - 1] : 0
      pivot = diagonal[i] - x - (i > 0 ? link / pivot : 0)
      if pivot == 0 { pivot = -1e-300 }
      if pivot < 0 { found += 1 }
    }
    return found
  }

  private static func tridiagonal(_ matrix: [Double], size: Int) -> ([Double], [Double]) {
    var a = matrix
    var beside = [Double](repeating: 0, count: max(0, size - 1))
    for k in 0..<max(0, size - 2) {
      var norm = 0.0
      for i in k + 1..<size { norm += a[i * size + k] * a[i * size + k] }
      norm = norm.squareRoot()
      let pivot = a[(k + 1) * size + k]
      guard norm > 0 else { continue }
      let alpha = pivot > 0 ? -norm : norm
      var w = [Double](repeating: 0, count: size)
      for i in k + 1..<size { w[i] = a[i * size + k] }
      w[k + 1] -= alpha
      let square = w.reduce(0) { $0 + $1 * $1 }
      beside[k] = alpha
      guard square > 0 else { continue }
      var product = [Double](repeating: 0, count: size)
      for i in k + 1..<size {
        let sum = Runs.dot(a, at: i * size + k + 1, w, at: k + 1, count: size - k - 1)
        product[i] = 2 * sum / square
      }
      let half = zip(w, product).reduce(0) { $0 + $1.0 * $1.1 } / square
      for i in k + 1..<size { product[i] -= half * w[i] }
      for i in k + 1..<size {
        let row = i * size + k + 1
        Runs.add(product, at: k + 1, times: -w[i], to: &a, at: row, count: size - k - 1)
        Runs.add(w, at: k + 1, times: -product[i], to: &a, at: row, count: size - k - 1)
      }
    }
    if size > 1 { beside[size - 2] = a[(size - 1) * size + size - 2] }
    return ((0..<size).map { a[$0 * size + $0] }, beside)
  }
}
