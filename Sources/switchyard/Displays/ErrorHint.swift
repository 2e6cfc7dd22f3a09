import MoECore
import MoEEvaluation
import MoEModels
import MoEPlacement
import MoETensor
import MoETracing
import MoETraining

/// A library's error, with a hint on what a user of this program can do about it.
struct HintedError: Error, CustomStringConvertible {
  /// The library's error.
  let cause: any Error
  /// The command or option that helps.
  let hint: String

  var description: String { "\(cause); \(hint)" }

  /// The error with the program's hint, or unchanged if there is none.
  static func adding(to error: any Error) -> any Error {
    hint(for: error).map { HintedError(cause: error, hint: $0) } ?? error
  }

  /// Adds a hint to errors of the body.
  static func adding<Result>(_ hint: String, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch { throw HintedError(cause: error, hint: hint) }
  }

  /// Libraries say what is wrong; the program adds its commands and options.
  private static func hint(for error: any Error) -> String? {
    switch error {
    case TrainingError.runExists: "--resume continues it, --out names another folder"
    case TrainingError.otherConfiguration: "--out names another folder"
    case let failure as TrainingFailure where failure.checkpoint != nil:
      "--resume continues from it"
    case TensorError.unknownOperation, PlacementError.solverFailed: "run 'switchyard doctor'"
    case TracingError.notATrace: "'switchyard import-trace' converts files of other tools"
    case TaskError.otherRecords: "--out names another folder"
    case UpcyclingError.changedAnswers: "try --dtype f32"
    default: nil
    }
  }
}
