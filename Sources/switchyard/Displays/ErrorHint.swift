import MoECore
import MoEModels
import MoEPlacement
import MoETensor
import MoETracing
import MoETraining

/// An error of a library with what a user of this program can do about it.
struct HintedError: Error, CustomStringConvertible {
  /// What went wrong, in the library's words.
  let cause: any Error
  /// Which command or option helps.
  let hint: String

  var description: String { "\(cause); \(hint)" }

  /// The error with a hint where the program has one for it, and otherwise as it is.
  static func adding(to error: any Error) -> any Error {
    hint(for: error).map { HintedError(cause: error, hint: $0) } ?? error
  }

  /// Gives errors of the body a hint.
  static func adding<Result>(_ hint: String, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch { throw HintedError(cause: error, hint: hint) }
  }

  /// Libraries name what is wrong; commands and options belong to the program.
  private static func hint(for error: any Error) -> String? {
    switch error {
    case TrainingError.runExists: "--resume continues it, --out names another folder"
    case TrainingError.otherConfiguration: "--out names another folder"
    case let failure as TrainingFailure where failure.checkpoint != nil:
      "--resume continues from it"
    case TensorError.unknownOperation, PlacementError.solverFailed: "run 'switchyard doctor'"
    case TracingError.notATrace: "'switchyard import-trace' makes one of another tool's file"
    case UpcyclingError.changedAnswers: "try --dtype f32"
    default: nil
    }
  }
}
