import MoECore

/// How a diffusion transformer uses its experts on real images, and how their weights differ.
///
/// - SeeAlso: *Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing
///   Guidance*, §2 and appendices, [arXiv:2510.24711](https://arxiv.org/abs/2510.24711), whose
///   measures these are.
public struct DiffusionReport: Codable, Hashable, Sendable {
  /// A sparse block.
  public struct Block: Codable, Hashable, Sendable {
    /// Its index in the model, from 0.
    public var place: Int
    /// Assignments of tokens to routed experts by class, `[classes][experts]`.
    public var usage: [[Int]]
    /// The same for the images with even and odd indices, as an estimate of chance.
    public var halves: [[Int]]
    /// The mean weight of the routed experts' outputs.
    public var gate: Double
    /// Cosines between prototypes, `[experts][experts]`; empty for routers without prototypes.
    public var prototypes: [[Double]]
    /// Overlap of the subspaces of expert weights, 0 to 1, `[experts][experts]`; the expert for
    /// images without a label, if there is one, is the last.
    public var subspaces: [[Double]]
    /// The expected overlap of random subspaces.
    public var subspaceChance: Double
    /// The mean distance between cluster centres of the block's tokens over that of tokens to their
    /// centre.
    public var separation: Double

    /// Collects measures.
    public init(
      place: Int, usage: [[Int]], halves: [[Int]], gate: Double, prototypes: [[Double]],
      subspaces: [[Double]], subspaceChance: Double, separation: Double
    ) {
      (self.place, self.usage, self.halves, self.gate) = (place, usage, halves, gate)
      (self.prototypes, self.subspaces) = (prototypes, subspaces)
      (self.subspaceChance, self.separation) = (subspaceChance, separation)
    }

    /// The number of tokens of each routed expert.
    public var load: [Int] {
      usage.dropFirst().reduce(usage.first ?? []) { zip($0, $1).map { $0 + $1 } }
    }

    /// Indices of routed experts that no token chose.
    public var unused: [Int] { load.indices.filter { load[$0] == 0 } }

    /// How different the expert usage of two sets of classes is.
    ///
    /// - Parameter sets: Sets of class indices.
    /// - Returns: The total variation distance: 0 for equal usage, 1 without a common expert.
    public func variation(between sets: [[Int]]) -> Double {
      let loads = sets.map { set in
        load.indices.map { expert in set.reduce(0) { $0 + usage[$1][expert] } }
      }
      return Self.variation(loads[0], loads[1])
    }

    /// The same between two halves of the images with the same classes, as an estimate of chance.
    public var variationByChance: Double { Self.variation(halves[0], halves[1]) }

    /// The total variation distance between two distributions given as counts.
    static func variation(_ first: [Int], _ second: [Int]) -> Double {
      let totals = [first, second].map { Double(max(1, $0.reduce(0, +))) }
      return zip(first, second).reduce(0) {
        $0 + abs(Double($1.0) / totals[0] - Double($1.1) / totals[1])
      } / 2
    }

    /// The mean of a square matrix without its diagonal; `nil` for fewer than two rows.
    static func meanOutside(_ matrix: [[Double]]) -> Double? {
      guard matrix.count > 1 else { return nil }
      let all = matrix.indices.reduce(0.0) { $0 + matrix[$1].reduce(0, +) - matrix[$1][$1] }
      return all / Double(matrix.count * (matrix.count - 1))
    }

    /// Mean cosine between different prototypes.
    public var meanPrototypeCosine: Double? { Self.meanOutside(prototypes) }
    /// Mean overlap of different experts' subspaces.
    public var meanSubspaceOverlap: Double? { Self.meanOutside(subspaces) }
  }

  /// The fraction of the experts' work by role, with labels dropped as often as in training.
  public struct Roles: Codable, Hashable, Sendable {
    /// Done by routed experts.
    public var routed: Double
    /// Done by the expert for images without a label.
    public var unconditional: Double
    /// Done by the shared expert.
    public var shared: Double

    /// Collects fractions, which sum to 1.
    public init(routed: Double, unconditional: Double, shared: Double) {
      (self.routed, self.unconditional, self.shared) = (routed, unconditional, shared)
    }
  }

  /// Name of the model's folder or run.
  public var name: String
  /// The architecture in a line.
  public var architecture: String
  /// The number of images.
  public var images: Int
  /// Names of the classes.
  public var classes: [String]
  /// Two sets of class indices whose expert usage is compared.
  public var classSets: [[Int]]
  /// The experts' work by role; `nil` for a dense model.
  public var roles: Roles?
  /// The sparse blocks, in order.
  public var blocks: [Block]

  /// Collects measures; the two class sets are the halves of the list of classes.
  public init(
    name: String, architecture: String, images: Int, classes: [String], roles: Roles?,
    blocks: [Block]
  ) {
    (self.name, self.architecture, self.images) = (name, architecture, images)
    (self.classes, self.roles, self.blocks) = (classes, roles, blocks)
    let middle = classes.count / 2
    classSets = [Array(0..<middle), Array(middle..<classes.count)]
  }

  /// Mean of the blocks.
  ///
  /// - Parameter value: The value to average; blocks without it are skipped.
  /// - Returns: The mean, or `nil` if no block has the value.
  public func mean(_ value: (Block) -> Double?) -> Double? {
    let values = blocks.compactMap(value)
    return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  /// The interpretation, in sentences.
  public var diagnosis: [String] {
    guard !blocks.isEmpty else { return ["The model is dense: there are no experts to inspect."] }
    var result: [String] = []
    let unused = blocks.reduce(0) { $0 + $1.unused.count }
    result.append(
      unused == 0
        ? "Every expert works on some tokens of these images."
        : "Experts without any token of these images: \(unused) (\(blocks.filter { !$0.unused.isEmpty }.map { "block \($0.place): \($0.unused.map(String.init).joined(separator: ", "))" }.joined(separator: "; ")))."
    )
    if let variation = mean({ $0.variation(between: classSets) }),
      let chance = mean({ $0.variationByChance })
    {
      result.append(
        "Two halves of the classes use the experts differently by \(Self.text(variation)) (total variation; two halves of the images: \(Self.text(chance)))."
      )
    }
    if let gate = mean({ $0.gate }) {
      result.append("Answers of routed experts count \(Self.text(gate)) on average.")
    }
    if let overlap = mean(\.meanSubspaceOverlap), let chance = mean({ $0.subspaceChance }) {
      result.append(
        "Subspaces of expert weights overlap by \(Self.text(overlap)); random ones would by \(Self.text(chance))."
      )
    }
    if let cosine = mean(\.meanPrototypeCosine) {
      result.append("The mean cosine between prototypes is \(Self.text(cosine)).")
    }
    return result
  }

  private static func text(_ value: Double) -> String { NumberText.fixed(value, 3) }
}
