/// The nodes and ranks that can hold experts, and the cost of moving a token between them.
///
/// Ranks are numbered node by node: rank `r` is in node `r / ranksPerNode`.
public struct PlacementTopology: Hashable, Codable, Sendable {
  /// Number of nodes.
  public let nodes: Int
  /// The number of ranks per node.
  public let ranksPerNode: Int
  /// The cost of a transfer between two ranks of one node, above 0.
  public let costWithinNode: Double
  /// The cost of a transfer between nodes, at least ``costWithinNode``.
  public let costBetweenNodes: Double

  /// The largest cost between nodes, relative to that within a node.
  public static let maximumCost = 1e9
  /// The largest number of ranks.
  public static let maximumRanks = 4096

  /// Describes a cluster.
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
    guard costWithinNode.isFinite, between.isFinite, costWithinNode > 0, between >= costWithinNode,
      between / costWithinNode <= Self.maximumCost
    else {
      throw .invalidProblem(
        message:
          "a transfer costs \(costWithinNode) within a node and \(between) between nodes; the first must be above 0, the second at least as high, and at most \(Int(Self.maximumCost)) times as high"
      )
    }
    (self.nodes, self.ranksPerNode) = (nodes, ranksPerNode)
    (self.costWithinNode, self.costBetweenNodes) = (costWithinNode, between)
  }

  /// Decodes a topology, with the same checks as the other initializer.
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

  /// The fraction of the most expensive transfer's cost that a transfer within a node saves, in
  /// 0..<1.
  ///
  /// A transition is worth 1 if the token stays on its rank, this if it stays in its node,
  /// otherwise 0.
  public var valueOfNode: Double {
    nodes == 1 || ranksPerNode == 1 ? 0 : 1 - costWithinNode / costBetweenNodes
  }

  /// The cost of the most expensive transfer in this topology.
  var dearestWay: Double { nodes == 1 ? costWithinNode : costBetweenNodes }
}
