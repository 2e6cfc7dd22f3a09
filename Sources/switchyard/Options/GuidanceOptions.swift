import MoEModels
import ArgumentParser
import MoETraining

/// How strongly, and at which times, generated images follow their label.
struct GuidanceOptions: ParsableArguments {
  @Option(help: "Strength of guidance; 1 for none.") var guidance = 1.0
  @Option(
    help: ArgumentHelp(
      "Times at which guidance is used, such as 0.1-0.8, from 0, the image, to 1, only noise.",
      valueName: "low-high")) var guidanceInterval = "0-1"

  func validate() throws {
    guard guidance.isFinite, guidance >= 1 else {
      throw ValidationError("--guidance is \(guidance); it must be a number of at least 1.")
    }
    guard interval != nil else {
      throw ValidationError(
        "--guidance-interval is '\(guidanceInterval)'; it must be two times from 0 to 1, the lower one first, such as 0.1-0.8."
      )
    }
  }

  private var interval: ClosedRange<Double>? {
    let parts = guidanceInterval.split(separator: "-", omittingEmptySubsequences: false)
    let times = parts.compactMap { Double($0) }.filter { 0...1 ~= $0 }
    guard parts.count == 2, times.count == 2, times[0] <= times[1] else { return nil }
    return times[0]...times[1]
  }

  /// The guidance that the options describe.
  func value(inOneBatch: Bool = false) -> Guidance {
    Guidance(scale: guidance, interval: interval ?? 0...1, isConcatenated: inOneBatch)
  }
}
