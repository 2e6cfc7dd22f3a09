/// Arithmetic on contiguous runs of numbers, where searches and bounds spend most of their time.
///
/// Without bounds checks the loops are vectorized.
enum Runs {
  /// Adds `factor` times a run of `source` to one of `target`.
  static func add(
    _ source: [Double], at start: Int, times factor: Double, to target: inout [Double],
    at place: Int, count: Int
  ) {
    precondition(start >= 0 && start + count <= source.count)
    precondition(place >= 0 && place + count <= target.count)
    unsafe source.withUnsafeBufferPointer { from in
      unsafe target.withUnsafeMutableBufferPointer { to in
        guard let from = from.baseAddress, let to = to.baseAddress else { return }
        for index in 0..<count {
          unsafe to[place &+ index] += factor * from[start &+ index]
        }
      }
    }
  }

  /// The dot product of two runs, in four independent sums so that additions do not wait for each
  /// other.
  static func dot(
    _ left: [Double], at start: Int, _ right: [Double], at place: Int, count: Int
  ) -> Double {
    precondition(start >= 0 && start + count <= left.count)
    precondition(place >= 0 && place + count <= right.count)
    return unsafe left.withUnsafeBufferPointer { left in
      unsafe right.withUnsafeBufferPointer { right in
        guard let left = left.baseAddress, let right = right.baseAddress else { return 0 }
        var parts = SIMD4<Double>.zero
        let whole = count & ~3
        for index in stride(from: 0, to: whole, by: 4) {
          let (a, b) = (start &+ index, place &+ index)
          let x = unsafe SIMD4(left[a], left[a &+ 1], left[a &+ 2], left[a &+ 3])
          let y = unsafe SIMD4(right[b], right[b &+ 1], right[b &+ 2], right[b &+ 3])
          parts += x * y
        }
        var sum = parts.sum()
        for index in whole..<count { sum += unsafe left[start &+ index] * right[place &+ index] }
        return sum
      }
    }
  }
}
