import Foundation
import MoECore
import MoETensor
import MoETraining

/// Shows a run on standard error: a progress line on a terminal, and permanent lines for important
/// events.
final class TrainingDisplay {
  private let isTerminal = StandardError.isTerminal
  private let steps: Int
  private let run: TrainingRun
  private let clock = ContinuousClock()
  private var shown: ContinuousClock.Instant?
  /// Running averages, because single steps are noisy.
  private var loss = Average()
  private var seconds = Average()

  /// An exponential moving average over about 20 steps.
  private struct Average {
    private(set) var value: Double?
    mutating func take(_ next: Double) { value = value.map { $0 + (next - $0) / 20 } ?? next }
  }

  init(_ run: TrainingRun) { (self.run, steps) = (run, run.steps) }

  /// Announces what is about to be trained.
  func begin() {
    message("\(run.headline); \(counted(Engine.threadCount, "thread"))")
    for notice in run.notices { message("note: \(notice)") }
    if run.firstStep > 0 { message("continuing after step \(run.firstStep) of \(steps)") }
  }

  /// Shows an event.
  func show(_ event: TrainingEvent) {
    switch event {
    case .step(let metrics): show(metrics)
    case .evaluated(let results, let step):
      let values = results.map {
        "\($0.name) \($0.value.isNaN ? "undefined" : Self.fixed($0.value))"
      }.joined(separator: ", ")
      let training = loss.value.map { "training loss \(Self.fixed($0)), " } ?? ""
      message("step \(step): \(training)validation \(values)")
    case .expertsDied(let experts, let step):
      let names = experts.prefix(8).map { "\($0.layer)/\($0.expert)" }.joined(separator: ", ")
      message(
        "ALARM step \(step): \(experts.count) experts have not had a token for \(IdleExperts.patience) steps (layer/expert \(names)\(experts.count > 8 ? ", …" : "")); raise losses.balance, or use a selection bias"
      )
    case .checkpoint: break
    }
  }

  private func show(_ metrics: StepMetrics) {
    loss.take(metrics.loss)
    seconds.take(metrics.seconds)
    let now = clock.now
    // Ten updates per second are enough.
    guard isTerminal, shown.map({ now - $0 > .milliseconds(100) }) ?? true else { return }
    shown = now
    let left = Double(steps - metrics.step) * (seconds.value ?? 0)
    var text = "step \(metrics.step)/\(steps)  loss \(Self.fixed(loss.value ?? metrics.loss))"
    text += "  norm \(Self.fixed(metrics.gradientNorm))"
    text += "  \(NumberText.amount(Double(metrics.units) / (seconds.value ?? 1))) \(run.unit)/s"
    for value in metrics.routingSummary where ["imbalance", "dead_experts"].contains(value.name) {
      if value.name == "imbalance" { text += "  imbalance \(Self.fixed(value.value))" }
      if value.name == "dead_experts", value.value > 0 { text += "  DEAD \(Int(value.value))" }
    }
    StandardError.redraw("\(text)  \(Self.time(left)) left")
  }

  /// Writes a permanent line.
  func message(_ text: String) {
    end()
    StandardError.message(text.printable)
  }

  /// Clears the progress line.
  func end() {
    if isTerminal, shown != nil { StandardError.redraw() }
    shown = nil
  }

  private static func fixed(_ value: Double) -> String { NumberText.fixed(value, 3) }

  private static func time(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    if whole >= 3600 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
    return whole >= 60 ? "\(whole / 60) min \(whole % 60) s" : "\(whole) s"
  }
}
