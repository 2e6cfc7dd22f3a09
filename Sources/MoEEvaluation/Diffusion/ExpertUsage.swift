import MoECore
public import MoEModels
import MoERouting

/// Which experts a sparse block used for which classes and at which times.
public struct ExpertUsage: Hashable, Codable, Sendable {
  /// Equal parts of the time from image to noise.
  public static let timeParts = 10

  /// Assignments by class and expert; the last row is that of images without a label, where the model knows such.
  public private(set) var byClass: [[Int]]
  /// Assignments by part of the time, the part without noise first, and expert.
  public private(set) var byTime: [[Int]]
  /// Patches that passed the block.
  public private(set) var tokens = 0

  /// Starts without assignments.
  ///
  /// - Parameters:
  ///   - labels: Number of labels, the null label included.
  ///   - experts: Experts of the block.
  public init(labels: Int, experts: Int) {
    byClass = Array(repeating: Array(repeating: 0, count: experts), count: labels)
    byTime = Array(repeating: Array(repeating: 0, count: experts), count: Self.timeParts)
  }

  /// Counts what a block did with a batch.
  ///
  /// - Parameters:
  ///   - output: What it did.
  ///   - labels: Of each image.
  ///   - times: Of each image, from 0 to 1000.
  public mutating func add(_ output: DiffusionExperts.Output, labels: [Int], times: [Float]) {
    tokens += output.split.tokenCount
    let perImage = output.split.tokensPerSample
    let parts = times.map { min(Self.timeParts - 1, max(0, Int($0) * Self.timeParts / 1000)) }
    for assignment in output.routing.assignments {
      let image = assignment[0] / perImage
      byClass[labels[image]][assignment[1]] += 1
      byTime[parts[image]][assignment[1]] += 1
    }
  }

  /// The assignments by the role of the expert; the shared expert works on every patch.
  ///
  /// - Parameter experts: The experts of the model.
  /// - Returns: The counts.
  public func roles(of experts: DiffusionExpertsConfiguration) -> ExpertRoles {
    let routed = byClass.reduce(0) { $0 + $1.prefix(experts.count).reduce(0, +) }
    let all = byClass.reduce(0) { $0 + $1.reduce(0, +) }
    return ExpertRoles(
      routed: routed, unconditional: all - routed, shared: experts.sharedSize == nil ? 0 : tokens)
  }
}
