import MoECore

/// How far the routing of two traces differs, as plain values.
public struct DriftReport: Codable, Hashable, Sendable {
  /// A sparse layer.
  public struct Layer: Codable, Hashable, Sendable {
    /// Its index in the model.
    public var layer: Int
    /// Divergence of its loads, 0 to 1.
    public var drift: Double
    /// The value expected by chance alone.
    public var byChance: Double
    /// Load over the layer's mean in the first trace, per expert.
    public var before: [Double]
    /// The same in the second trace.
    public var after: [Double]
    /// The expert whose load relative to the mean increased most.
    public var risen: Int
    /// The expert whose load relative to the mean decreased most.
    public var fallen: Int
    /// The fraction of assignments that moved to other experts: half the sum of absolute changes.
    public var moved: Double
  }

  /// Names of the traces.
  public var names: [String]
  /// The number of tokens of each; `nil` where only loads are known.
  public var tokens: [Int?]
  /// The number of experts per layer.
  public var experts: Int
  /// The layers, in order.
  public var layers: [Layer]
  /// Distance of affinities per pair of layers, 0 to 1; empty if one of the traces has only loads.
  public var affinities: [Double]
  /// The value expected by chance alone.
  public var affinitiesByChance: [Double]
  /// The interpretation, in sentences.
  public var diagnosis: [String]

  /// Compares two traces.
  ///
  /// - Parameters:
  ///   - old: Counts of the first.
  ///   - new: Counts of the second.
  ///   - names: Their names.
  /// - Throws: ``TracingError/invalidRequest(_:)`` unless both have the same layers and experts.
  public init(
    from old: RoutingCounts, to new: RoutingCounts, names: (old: String, new: String)
  ) throws(TracingError) {
    let drift = try Drift(from: old, to: new)
    self.names = [names.old, names.new]
    tokens = [old.tokenCount, new.tokenCount]
    experts = old.expertCount
    layers = old.layers.indices.map { place in
      let (before, after) = (Self.relative(old.loads[place]), Self.relative(new.loads[place]))
      let changes = zip(before, after).map { $1 - $0 }
      return Layer(
        layer: old.layers[place], drift: drift.loads[place], byChance: drift.loadsByChance[place],
        before: before, after: after,
        risen: changes.indices.max { changes[$0] < changes[$1] } ?? 0,
        fallen: changes.indices.min { changes[$0] < changes[$1] } ?? 0,
        moved: changes.reduce(0) { $0 + $1.magnitude } / Double(max(1, 2 * changes.count)))
    }
    (affinities, affinitiesByChance) = (drift.affinities, drift.affinitiesByChance)
    diagnosis = []
    diagnosis = sentences
  }

  private static func relative(_ load: [Int]) -> [Double] {
    let mean = Double(load.reduce(0, +)) / Double(max(1, load.count))
    return load.map { mean > 0 ? Double($0) / mean : 0 }
  }

  private var sentences: [String] {
    guard tokens.allSatisfy({ $0 ?? 1 > 0 }), let most = layers.max(by: { $0.drift < $1.drift })
    else {
      return ["One of the traces has no tokens, so there is nothing to compare."]
    }
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }
    func digits(_ value: Double) -> String { NumberText.decimals(value, 2) }
    func percent(_ fraction: Double) -> String { NumberText.percent(fraction, rounding: .scaled) }
    let (drift, chance) = (mean(layers.map(\.drift)), mean(layers.map(\.byChance)))
    var result = [
      "The layer whose loads differ most is \(most.layer): expert \(most.risen) goes from \(digits(most.before[most.risen])) to \(digits(most.after[most.risen])) times the mean load, expert \(most.fallen) from \(digits(most.before[most.fallen])) to \(digits(most.after[most.fallen]))."
    ]
    result.append(
      drift < 2 * chance
        ? "Over all layers that is what chance explains: what was learnt from one trace about loads holds for the other."
        : "Over all layers \(percent(mean(layers.map(\.moved)))) of the assignments go to other experts than in the first trace, which is more than chance. Judge balance on the trace that a plan will serve."
    )
    guard !affinities.isEmpty else { return result }
    let (distance, noise) = (mean(affinities), mean(affinitiesByChance))
    result.append(
      "Of an expert's tokens, \(percent(distance)) go on to other successors than in the first trace; if tokens are dealt at random, \(percent(noise))."
        + (distance < 1.5 * noise
          ? " Affinity is the same in both: a plan of one serves the other."
          : " Judge crossings, too, on the trace that a plan will serve."))
    return result
  }
}
