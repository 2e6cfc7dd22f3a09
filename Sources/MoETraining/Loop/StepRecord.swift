import MoECore
import MoETensor

/// Collects the losses of a step's micro-batches.
struct StepRecord {
  private(set) var loss = 0.0
  private(set) var parts: [NamedValue] = []
  private(set) var units = 0
  private var batches: [[LayerRouting]] = []

  /// The routing of all batches, combined.
  var routing: [LayerRouting] { LayerRouting.merged(batches) }

  /// Records a micro-batch, which counts for the fraction `share` of the step.
  mutating func take(_ batch: TaskLoss, total: Tensor, share: Double) {
    loss += Self.number(total)
    let values = batch.parts.map { NamedValue($0.name, share * Self.number($0.value)) }
    parts =
      parts.isEmpty
      ? values : zip(parts, values).map { NamedValue($0.name, $0.value + $1.value) }
    units += batch.units
    batches.append(batch.routing)
  }

  private static func number(_ tensor: Tensor) -> Double {
    Double(tensor.detached().cast(to: .f32).item(as: Float.self))
  }
}
