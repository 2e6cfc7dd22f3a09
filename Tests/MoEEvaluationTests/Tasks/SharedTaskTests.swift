import Foundation
import MoECore
@testable import MoEEvaluation
import MoETestSupport
import Testing

/// The real data sets, which may be beside the package.
@Suite("Published data sets")
struct SharedTaskTests {
  private static let folder = "zeroshot"

  @Test(
    "are read whole, with their first question as the harness words it",
    .enabled(if: SharedData.exists(folder), SharedData.missing(folder)),
    arguments: [
      (
        "winogrande", 1_267, "Sarah was a much better surgeon than Maria so Sarah",
        " always got the easier cases."
      ),
      ("copa", 100, "The man turned on the faucet therefore", "  the toilet filled with water."),
      (
        "openbookqa", 500,
        "A person wants to start saving money so that they can afford a nice vacation at the end of the year. After looking over their budget and expenses, they decide the best way to save money is to",
        " make more phone calls"
      ),
      (
        "hellaswag", 10_042, "Roof shingle removal: A man is sitting on a roof. He",
        " is using wrap to wrap a pair of skis."
      ),
      (
        "piqa", 1_838,
        "Question: How do I ready a guinea pig cage for it's new occupants?\nAnswer:",
        " Provide the guinea pig with a cage full of a few inches of bedding made of ripped paper strips, you will also need to supply it with a water bottle and a food dish."
      ),
      (
        "arc_challenge", 1_172,
        "Question: An astronomer observes that a planet rotates faster after a meteorite impact. Which is the most likely effect of this increase in rotation?\nAnswer:",
        " Planetary density will decrease."
      ),
      (
        "arc_easy", 2_376,
        "Question: Which statement best explains why photosynthesis is the foundation of most food webs?\nAnswer:",
        " Sunlight is the source of energy for nearly all ecosystems."
      ),
      ("boolq", 3_270, "", " no"), ("lambada", 5_153, "", " signs"),
      (
        "balanced_copa", 1_000, "My body cast a shadow over the grass because",
        "  the sun was rising."
      ), ("mmlu", 14_042, "", " A"),
    ])
  func sets(name: String, count: Int, context: String, continuation: String) throws {
    let task = try #require(EvaluationTasks.task(named: name))
    let data = TaskData(SharedData.path(Self.folder))
    let parts = try task.parts(in: data, shots: name == "mmlu" ? 5 : 0)
    #expect(parts.reduce(0) { $0 + $1.questions.count } == count)
    let first = parts[0].questions[0].requests()[0]
    #expect(context.isEmpty || first.context == context)
    #expect(first.continuation == continuation)
    #expect((parts[0].note != nil) == (["hellaswag", "balanced_copa"].contains(name)))
    guard name == "mmlu" else { return }
    #expect(parts.count == 57)
    let examples = try parts[1].examples(of: [0], shots: 5, seed: 1_234)[0]
    let prefix = parts[1].prefix(examples)
    #expect(
      prefix.hasPrefix(
        "The following are multiple choice questions (with answers) about anatomy.\n\n"))
    #expect(prefix.components(separatedBy: "\nAnswer: ").count == 6)
  }
}
