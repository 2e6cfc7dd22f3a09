import Foundation
import MoETestSupport
import Testing

@testable import MoEEvaluation

@Suite("Metrics of predictions")
struct ClassificationMetricsTests {
  @Test("of classes are counted by hand")
  func classes() {
    let metrics = ClassificationMetrics(
      predicted: [0, 0, 1, 1, 2], actual: [0, 1, 1, 1, 0], classes: 4)
    #expect(metrics.confusion == [1, 0, 1, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    #expect(abs(metrics.accuracy - 0.6) < 1e-12)
    // Precision 1/2 and recall 1/2; precision 1 and recall 2/3; never correct; absent.
    let expected = [0.5, 0.8, 0, 0]
    for (found, wanted) in zip(metrics.f1, expected) { #expect(abs(found - wanted) < 1e-12) }
    #expect(abs(metrics.macroF1 - 0.325) < 1e-12)
    #expect(ClassificationMetrics(predicted: [], actual: [], classes: 2).accuracy == 0)
  }

  @Test("of numbers are those of scipy")
  func numbers() {
    // scipy.stats.pearsonr and spearmanr of these lists.
    let metrics = RegressionMetrics(
      predicted: [0.1, 0.4, 0.35, 0.8, 0.8], actual: [0, 0.5, 0.25, 1, 0.75])
    #expect(abs(metrics.meanSquaredError - 0.0145) < 1e-12)
    #expect(abs(metrics.pearson - 0.9591803176256434) < 1e-9)
    #expect(abs(metrics.spearman - 0.9746794344808963) < 1e-9)
  }

  @Test("of a constant prediction have a correlation of 0")
  func constant() {
    let metrics = RegressionMetrics(predicted: [0.5, 0.5, 0.5], actual: [0, 0.5, 1])
    #expect(metrics.pearson == 0 && metrics.spearman == 0)
    #expect(abs(metrics.meanSquaredError - 1.0 / 6) < 1e-12)
    #expect(RegressionMetrics(predicted: [], actual: []).meanSquaredError == 0)
  }
}

@Suite("Usage of experts")
struct GroupedRoutingTests {
  @Test("is counted by group")
  func counts() {
    let usage = GroupedRouting(
      chosen: [0, 0, 1, 1, 1], gate: [1, 0, 1, 0, 0.5, 0.5, 0, 1, 0, 1], group: [0, 0, 1, 1, 0],
      groups: ["a", "b"], experts: 2)
    #expect(usage.counts == [2, 1, 0, 2])
    #expect(usage.usage == [0.4, 0.6])
    #expect(usage.usage(ofGroup: 1) == [0, 1])
    #expect(usage.shares == [0.5, 0.5])
    #expect(abs(usage.entropy - log(2) / 5) < 1e-7)
  }

  @Test("is 0 where groups are mixed equally, and one bit where it separates two groups")
  func information() {
    func bits(_ chosen: [Int]) -> Double {
      GroupedRouting(
        chosen: chosen, gate: chosen.flatMap { $0 == 0 ? [1, 0] : [0, 1] }, group: [0, 0, 1, 1],
        groups: ["a", "b"], experts: 2
      ).mutualInformation
    }
    #expect(bits([0, 1, 0, 1]) == 0)
    #expect(abs(bits([0, 0, 1, 1]) - 1) < 1e-12)
    #expect(bits([1, 1, 1, 1]) == 0)
  }

  @Test("agrees between trainings up to renaming where experts are alike")
  func agreement() {
    let (first, second) = ([0, 0, 1, 1, 1], [1, 1, 0, 0, 1])
    #expect(GroupedRouting.agreement(first, second, experts: 2, exchangeable: false) == 0.2)
    #expect(GroupedRouting.agreement(first, second, experts: 2, exchangeable: true) == 0.8)
    #expect(GroupedRouting.agreement([], [], experts: 2, exchangeable: true) == 1)
    #expect(GroupedRouting.agreement([0, 1, 2], [2, 0, 1], experts: 3, exchangeable: true) == 1)
  }
}
