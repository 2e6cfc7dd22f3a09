import MoECore
import MoETensor

/// Keeps some rows of the inputs of every packed weight while a model reads.
final class ObservedInputs {
  /// Rows that are kept of each module.
  private let limit: Int
  private(set) var weights: [(name: String, weight: PackedWeight)] = []
  private var rows: [String: [Tensor]] = [:]
  private var counts: [String: Int] = [:]

  /// Whether a weight is multiplied with inputs, by its name.
  private let isMultiplied: (String) -> Bool

  init(limit: Int, where isMultiplied: @escaping (String) -> Bool) {
    (self.limit, self.isMultiplied) = (limit, isMultiplied)
  }

  /// The weight, watched.
  func observed(_ name: String, _ weight: PackedWeight) -> any LinearWeight {
    weights.append((name, weight))
    return ObservedWeight(weight) { [unowned self] in keep($0, of: name) }
  }

  private func keep(_ x: Tensor, of name: String) {
    let missing = limit - counts[name, default: 0]
    guard missing > 0, x.count > 0 else { return }
    let all = x.reshaped([-1, x.size(x.rank - 1)])
    let part = all[0..<min(missing, all.size(0))].cast(to: .f32)
    rows[name, default: []].append(part.copied())
    counts[name, default: 0] += part.size(0)
  }

  /// Whether all modules have as many rows as are kept.
  var isComplete: Bool {
    weights.allSatisfy { !isMultiplied($0.name) || count(of: $0.name) == limit }
  }

  /// The rows that a module itself has met, as far as they are kept.
  func count(of name: String) -> Int { counts[name, default: 0] }

  /// Rows of a module, `[rows, inputs]`: its own, and where those are too few, such as those of an expert that tokens
  /// rarely choose, others' of the same width; `nil` if there are none.
  func inputs(of module: (name: String, weight: PackedWeight)) -> Tensor? {
    let width = module.weight.shape[1]
    var found = rows[module.name] ?? []
    var missing = limit - count(of: module.name)
    for (other, weight) in weights where other != module.name && weight.shape[1] == width {
      if missing == 0 { break }
      for part in rows[other] ?? [] where missing > 0 {
        found.append(part[0..<min(missing, part.size(0))])
        missing -= found[found.count - 1].size(0)
      }
    }
    return found.isEmpty ? nil : Tensor.concatenated(found, axis: 0)
  }
}

/// A packed weight that shows what it is multiplied with.
private struct ObservedWeight: LinearWeight {
  let packed: PackedWeight
  let see: (Tensor) -> Void

  init(_ packed: PackedWeight, _ see: @escaping (Tensor) -> Void) {
    (self.packed, self.see) = (packed, see)
  }

  var shape: [Int] { packed.shape }
  var dtype: DType { packed.dtype }
  var device: Device { packed.device }

  func product(_ x: Tensor, bias: Tensor?, as arithmetic: Arithmetic?) -> Tensor {
    see(x)
    return packed.product(x, bias: bias, as: arithmetic)
  }

  func rows(at ids: Tensor) -> Tensor { packed.rows(at: ids) }
}
