public import MoECore
import MoERouting

/// The settings for converting a dense model to one with experts.
public struct UpcyclingPlan: Hashable, Sendable {
  /// The number of experts in each new sparse layer.
  public var experts: Int
  /// The number of experts per token.
  public var k: Int
  /// Which layers become sparse.
  public var layers = LayerSelection.all
  /// The number of slices into which each copy of a network is split; `experts` and `k` are
  /// multiples of it.
  public var split = 1
  /// The standard deviation of the noise on each expert's matrices, relative to the matrix's root
  /// mean square; 0 for equal copies.
  public var noise = 0.0
  /// The seed of all random numbers.
  public var seed: UInt64 = 0
  /// The type of the new weights; `nil` for that of the dense model, or f32 if that is quantized.
  public var dtype: DType?
  /// The most data in one file.
  public var shardLimit = ByteCount(5_000_000_000)

  /// A plan with equal copies in all layers.
  public init(experts: Int, k: Int) { (self.experts, self.k) = (experts, k) }
}

/// Why a model could not be upcycled.
public enum UpcyclingError: Error, Hashable {
  /// A setting does not fit the model.
  case invalidSetting(name: String, value: String, expected: String)
  /// This kind of model cannot be upcycled.
  case unsuitable(reason: String)
  /// The new model's outputs differ from the dense model's.
  case changedAnswers(difference: Double, tolerance: Double)
}

extension UpcyclingError: CustomStringConvertible {
  /// What is wrong and what to change.
  public var description: String {
    switch self {
    case .invalidSetting(let name, let value, let expected):
      "\(name) is \(value); it must be \(expected)"
    case .unsuitable(let reason): "the model cannot be upcycled: \(reason)"
    case .changedAnswers(let difference, let tolerance):
      "the new model's logits differ from the dense one's by \(difference), more than \(tolerance); nothing was written, choose f32 for the new weights"
    }
  }
}

/// A plan that has been checked against a dense model.
struct ResolvedPlan {
  let plan: UpcyclingPlan
  /// Indices of the layers that become sparse.
  let places: Set<Int>
  /// The architecture of the new model.
  let configuration: DecoderConfiguration
  /// The names of the new model's weights.
  let names: WeightNames
  /// The type of the new weights.
  let dtype: DType

  /// Checks a plan against a dense model.
  init(_ plan: UpcyclingPlan, for dense: DecoderConfiguration, storedType: DType) throws {
    self.plan = plan
    dtype = plan.dtype ?? storedType
    let inner = try Self.checkedInner(of: dense)
    try Self.check(plan, inner: inner)
    guard let places = plan.layers.places(of: dense.layers.count), !places.isEmpty else {
      throw UpcyclingError.invalidSetting(
        name: "the choice of layers", value: "not within the model",
        expected: "at least one of its \(dense.layers.count) layers, counted from 0")
    }
    self.places = Set(places)
    let isMixtral = places.count == dense.layers.count && !dense.hasAttentionBias
    names = isMixtral ? Mixtral.names : SwitchyardMoE.names
    var new = dense
    new.family = isMixtral ? Mixtral.modelType : SwitchyardMoE.modelType
    for place in places { new.layers[place] = .sparse }
    (new.experts, new.expertInner) = (plan.experts, inner / plan.split)
    new.router = try TokenChoiceRouter(k: plan.k, experts: plan.experts, renormalizes: true)
    new.balanceCoefficient = Self.balanceCoefficient
    configuration = new
  }

  /// The coefficient of Switch Transformers, §2.2 of the paper (Fedus 2021).
  private static let balanceCoefficient = 0.01

  private static func checkedInner(of dense: DecoderConfiguration) throws -> Int {
    guard dense.family == Llama.modelType, case .dense(let inner) = dense.layers[0] else {
      throw UpcyclingError.unsuitable(
        reason: "it is of the family \(dense.family), but a dense one of the family llama is needed"
      )
    }
    guard !dense.hasNetworkBias else {
      throw UpcyclingError.unsuitable(
        reason: "its feed-forward networks have biases (mlp_bias), which experts do not have")
    }
    return inner
  }

  private static func check(_ plan: UpcyclingPlan, inner: Int) throws {
    func check(_ name: String, _ value: Int, _ isValid: Bool, _ expected: String) throws {
      guard isValid else {
        throw UpcyclingError.invalidSetting(name: name, value: "\(value)", expected: expected)
      }
    }
    let split = plan.split
    try check(
      "the number of slices", split, split >= 1 && inner.isMultiple(of: max(1, split)),
      "at least 1 and a divisor of the networks' inner width, \(inner)")
    let multiple = split == 1 ? "" : " and a multiple of \(split), so that copies are whole"
    try check(
      "the number of experts", plan.experts,
      2...65_536 ~= plan.experts && plan.experts.isMultiple(of: split), "in 2…65536\(multiple)")
    try check(
      "the number of experts per token", plan.k,
      1...plan.experts ~= plan.k && plan.k.isMultiple(of: split), "in 1…\(plan.experts)\(multiple)")
    guard plan.noise.isFinite, 0...10 ~= plan.noise else {
      throw UpcyclingError.invalidSetting(
        name: "the noise", value: "\(plan.noise)", expected: "in 0…10")
    }
  }
}
