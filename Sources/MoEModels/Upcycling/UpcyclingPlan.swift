public import MoECore
import MoERouting

/// How a dense model becomes one with experts.
public struct UpcyclingPlan: Hashable, Sendable {
  /// Experts of each new sparse layer.
  public var experts: Int
  /// Experts per token.
  public var k: Int
  /// Which layers become sparse.
  public var layers = LayerSelection.all
  /// Slices into which each copy of a network is cut; experts and `k` are multiples of it.
  public var split = 1
  /// Standard deviation of the noise on each expert's matrices, as a share of the matrix's own root mean
  /// square; 0 for equal copies.
  public var noise = 0.0
  /// Start of all random numbers.
  public var seed: UInt64 = 0
  /// Type of the new weights; `nil` for that of the dense model, f32 where that is quantized.
  public var dtype: DType?
  /// The most data in one file.
  public var shardLimit = ByteCount(5_000_000_000)

  /// Describes equal copies in all layers.
  public init(experts: Int, k: Int) { (self.experts, self.k) = (experts, k) }
}

/// Why a model could not be upcycled.
public enum UpcyclingError: Error, Hashable {
  /// A setting does not fit the model.
  case invalidSetting(name: String, value: String, expected: String)
  /// The model is of a kind that cannot be upcycled.
  case unsuitable(reason: String)
  /// The new model does not answer as the dense one does.
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

/// A plan whose numbers fit a dense model.
struct ResolvedPlan {
  let plan: UpcyclingPlan
  /// Places of the layers that become sparse.
  let places: Set<Int>
  /// Architecture of the new model.
  let configuration: DecoderConfiguration
  /// Names of the new model's weights.
  let names: WeightNames
  /// Type of the new weights.
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
    new.router = .tokenChoice(
      k: plan.k, scoring: .softmax, renormalizes: true, scale: 1, groupLimit: nil,
      hasSelectionBias: false)
    new.balanceCoefficient = Self.balanceCoefficient
    configuration = new
  }

  /// What Switch Transformers trains with, by its paper's §2.2 (Fedus 2021).
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
