/// Where experts can live, and what a token's way from one place to another costs.
///
/// Ranks are numbered node by node: rank `r` stands in node `r / ranksPerNode`.
public struct PlacementTopology: Hashable, Codable, Sendable {
  /// Number of nodes.
  public let nodes: Int
  /// Ranks of each node.
  public let ranksPerNode: Int
  /// Cost of a way between two ranks of one node, above 0.
  public let costWithinNode: Double
  /// Cost of a way between nodes, at least ``costWithinNode``.
  public let costBetweenNodes: Double

  /// Largest number of ranks.
  public static let maximumRanks = 4096

  /// Describes a machine.
  ///
  /// With equal costs, every change of rank counts the same.
  ///
  /// - Throws: ``PlacementError/invalidProblem(message:)``.
  public init(
    nodes: Int = 1, ranksPerNode: Int, costWithinNode: Double = 1, costBetweenNodes: Double? = nil
  ) throws(PlacementError) {
    guard nodes >= 1, ranksPerNode >= 1, nodes <= Self.maximumRanks,
      ranksPerNode <= Self.maximumRanks, nodes * ranksPerNode <= Self.maximumRanks
    else {
      throw .invalidProblem(
        message:
          "\(nodes) nodes of \(ranksPerNode) ranks; both must be at least 1, and all ranks at most \(Self.maximumRanks)"
      )
    }
    let between = costBetweenNodes ?? costWithinNode
    guard costWithinNode.isFinite, between.isFinite, costWithinNode > 0, between >= costWithinNode
    else {
      throw .invalidProblem(
        message:
          "a way costs \(costWithinNode) within a node and \(between) between nodes; the first must be above 0, the second at least as high"
      )
    }
    (self.nodes, self.ranksPerNode) = (nodes, ranksPerNode)
    (self.costWithinNode, self.costBetweenNodes) = (costWithinNode, between)
  }

  /// Checks what it reads like the other initializer.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try self.init(
      nodes: values.decode(Int.self, forKey: .nodes),
      ranksPerNode: values.decode(Int.self, forKey: .ranksPerNode),
      costWithinNode: values.decode(Double.self, forKey: .costWithinNode),
      costBetweenNodes: values.decode(Double.self, forKey: .costBetweenNodes))
  }

  /// Number of ranks.
  public var ranks: Int { nodes * ranksPerNode }

  /// The node of a rank.
  public func node(of rank: Int) -> Int { rank / ranksPerNode }

  /// Share of the dearest way's cost that a way inside a node saves, 0 to below 1.
  ///
  /// A transition is worth 1 if the token stays on its rank, this if it stays in its node, and else 0.
  public var valueOfNode: Double {
    nodes == 1 || ranksPerNode == 1 ? 0 : 1 - costWithinNode / costBetweenNodes
  }

  /// Cost of the dearest way that exists.
  var dearestWay: Double { nodes == 1 ? costWithinNode : costBetweenNodes }
}
