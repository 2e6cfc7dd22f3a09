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
    #expect(metrics.accuracy == 0.6)
    #expect(metrics.actual == [2, 3, 0, 0] && metrics.predicted == [2, 2, 1, 0])
    // The last class is neither predicted nor present, so nothing is known about it.
    #expect(metrics.precision == [0.5, 1, 0, nil])
    #expect(metrics.recall == [0.5, 2.0 / 3, nil, nil])
    #expect(metrics.f1 == [0.5, 0.8, 0, nil])
    // sklearn.metrics.f1_score(average="macro") of these lists.
    #expect(abs((metrics.macroF1 ?? 0) - 0.43333333333333335) < 1e-12)
  }

  @Test("of nothing are undefined, not 0")
  func nothing() {
    let metrics = ClassificationMetrics(predicted: [], actual: [], classes: 2)
    #expect(metrics.accuracy == nil && metrics.macroF1 == nil)
    #expect(metrics.precision == [nil, nil] && metrics.recall == [nil, nil])
    let numbers = RegressionMetrics(predicted: [], actual: [])
    #expect(numbers.meanSquaredError == nil && numbers.pearson == nil && numbers.spearman == nil)
  }

  @Test("that are undefined are null in JSON")
  func null() throws {
    func json(_ value: some Encodable) throws -> String {
      String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
    }
    #expect(try json(ClassifierReport.Measure("pearson", .nan)).contains(#""value":null"#))
    let metrics = ClassificationMetrics(predicted: [0], actual: [0], classes: 2)
    let quality = ClassQuality(metrics, names: ["a", "b"])
    #expect(quality.confusion == [[1, 0], [0, 0]])
    let text = try json(quality.classes[1])
    for key in ["precision", "recall", "f1"] {
      #expect(text.contains("\"\(key)\":null"), "\(text)")
    }
    #expect(try json(ClassifierReport.Group(name: "b", texts: 0, usage: nil)).contains("null"))
  }

  @Test("of numbers are those of scipy")
  func numbers() {
    // scipy.stats.pearsonr and spearmanr of these lists.
    let metrics = RegressionMetrics(
      predicted: [0.1, 0.4, 0.35, 0.8, 0.8], actual: [0, 0.5, 0.25, 1, 0.75])
    #expect(abs((metrics.meanSquaredError ?? 0) - 0.0145) < 1e-12)
    #expect(abs((metrics.pearson ?? 0) - 0.9591803176256434) < 1e-9)
    #expect(abs((metrics.spearman ?? 0) - 0.9746794344808963) < 1e-9)
  }

  /// The mean of 0.1, 0.1 and 0.1 is not 0.1, so their computed variance is above 0.
  @Test(
    "have no correlation where either side is constant or not finite",
    arguments: [
      ([0.5, 0.5, 0.5], [0, 0.5, 1]), ([0, 0.5, 1], [0.1, 0.1, 0.1]),
      ([0.1, 0.1, 0.1], [1, 2, 3]),
      ([1, .nan, 2], [1, 2, 3]), ([1, .infinity, 2], [1, 2, 3]), ([1], [2]),
    ] as [([Double], [Double])])
  func constant(_ predicted: [Double], _ actual: [Double]) {
    let metrics = RegressionMetrics(predicted: predicted, actual: actual)
    #expect(metrics.pearson == nil && metrics.spearman == nil)
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
    let empty = GroupedRouting(chosen: [0], gate: [1], group: [0], groups: ["a", "b"], experts: 1)
    #expect(empty.usage(ofGroup: 0) == [1] && empty.usage(ofGroup: 1) == nil)
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
