public import MoECore
public import MoEData
public import MoEModels
public import MoETensor

/// What differs between kinds of models when they are trained: data, loss and evaluation.
///
/// A ``TrainingLoop`` does the rest: gradients, clipping, the optimizer, statistics.
public protocol TrainingTask: AnyObject {
  /// Data for one forward pass.
  associatedtype Batch

  /// The weights that are trained.
  var weights: [NamedParameter] { get }
  /// State that is saved with the weights but not changed by gradients, such as selection biases.
  var buffers: [NamedParameter] { get }
  /// Position of the next batch in the data; setting it continues there.
  var position: DataPosition { get set }

  /// The next batch.
  ///
  /// - Throws: When the data cannot be read.
  func nextBatch() throws -> Batch

  /// The loss of a batch.
  ///
  /// - Parameters:
  ///   - batch: The data.
  ///   - random: The source of all random numbers. Its seed depends on the step, so that a resumed
  ///     run draws the same ones. A step may compute the loss of a batch twice, with the same
  ///     random numbers and ``stepAbandoned()`` in between.
  /// - Returns: The parts of the loss and the routing.
  /// - Throws: What the model throws.
  func loss(_ batch: Batch, random: RandomSource) throws -> TaskLoss

  /// Called after the weights were updated, with the routing of the whole step, one entry per sparse layer.
  func stepEnded(routing: [LayerRouting])

  /// Called when what batches recorded for ``stepEnded(routing:)`` must be discarded: because a
  /// loss or gradient was not finite, something failed, or the losses will be computed once more.
  func stepAbandoned()

  /// Evaluates the model on held-out data.
  ///
  /// - Returns: Results by name, in the order in which they are shown; empty if there is no such data.
  /// - Throws: When the data cannot be read.
  func evaluate() throws -> [NamedValue]

  /// Files that show what the model currently does, such as pictures; kept for every evaluation.
  ///
  /// - Throws: What the model throws.
  func evaluationFiles() throws -> [ModelFile]

  /// Files of a model folder besides weights: `config.json`, and others that tools need.
  ///
  /// - Throws: When a file that is to be copied cannot be read.
  func modelFiles() throws -> [ModelFile]
}

extension TrainingTask {
  /// No such state.
  public var buffers: [NamedParameter] { [] }
  /// Nothing to do.
  public func stepEnded(routing: [LayerRouting]) {}
  /// Nothing to forget.
  public func stepAbandoned() {}
  /// No data.
  public func evaluate() throws -> [NamedValue] { [] }
  /// No files.
  public func evaluationFiles() throws -> [ModelFile] { [] }
}

/// The loss of one batch.
public struct TaskLoss {
  /// A term of the sum.
  public struct Part {
    /// The name, in lower case with underscores.
    public var name: String
    /// The value before its coefficient, shape `[]`.
    public var value: Tensor
    /// Coefficient in the sum; 0 for something that is only logged.
    public var coefficient: Double

    /// Creates a term.
    public init(_ name: String, _ value: Tensor, coefficient: Double = 1) {
      (self.name, self.value, self.coefficient) = (name, value, coefficient)
    }
  }

  /// The terms; the same in every batch.
  public var parts: [Part]
  /// What each sparse layer did.
  public var routing: [LayerRouting]
  /// Tokens, images or texts in the batch, for the speed.
  public var units: Int

  /// Creates the loss of a batch.
  public init(parts: [Part], routing: [LayerRouting] = [], units: Int) {
    (self.parts, self.routing, self.units) = (parts, routing, units)
  }

  /// Σ coefficient · value, shape `[]`.
  var total: Tensor {
    let terms = parts.filter { $0.coefficient != 0 }.map {
      $0.coefficient == 1 ? $0.value : $0.value * $0.coefficient
    }
    return terms.dropFirst().reduce(terms.first ?? Tensor(0 as Float)) { $0 + $1 }
  }
}
