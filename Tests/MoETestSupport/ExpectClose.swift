import MoECore
package import MoETensor
package import Testing

/// Expects two tensors to have the same shape and type, and elements within a tolerance.
package func expectClose(
  _ tensor: Tensor, _ expected: Tensor, _ tolerance: Tolerance,
  _ what: @autoclosure () -> String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard tensor.shape == expected.shape, tensor.dtype == expected.dtype else {
    Issue.record(
      "\(what()): \(tensor.dtype) \(tensor.shape), expected \(expected.dtype) \(expected.shape)",
      sourceLocation: sourceLocation)
    return
  }
  let found = tensor.cast(to: .f64).array(of: Double.self)
  let wanted = expected.cast(to: .f64).array(of: Double.self)
  for (index, pair) in zip(found, wanted).enumerated() where !tolerance.allows(pair.0, for: pair.1)
  {
    Issue.record(
      "\(what()): element \(index) is \(pair.0), expected \(pair.1)", sourceLocation: sourceLocation
    )
    return
  }
}
