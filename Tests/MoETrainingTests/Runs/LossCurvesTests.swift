import MoETestSupport
import Testing

@testable import MoETraining

@Suite("Loss curves")
struct LossCurvesTests {
  @Test("are read from the tables of a run, many steps as means")
  func tables() throws {
    let folder = try TemporaryFolder()
    let rows = (1...10).map { "\($0),0,8,99,\(Double($0) * 2),0.1" }
    let metrics = (["step,epoch,units,loss,cross_entropy,rate"] + rows).joined(separator: "\n")
    _ = try folder.write(Array((metrics + "\n11,0,8").utf8), to: "metrics.csv")
    _ = try folder.write(
      Array("step,loss,perplexity\n5,3.5,33\n10,3,20\n".utf8), to: "evaluation.csv")
    let curves = LossCurves(folder.path, limit: 4)
    #expect(curves.training.map(\.step) == [3, 6, 9, 10])
    #expect(curves.training.map(\.loss) == [4, 10, 16, 20])
    #expect(curves.validation.map(\.loss) == [3.5, 3] && curves.validation.map(\.step) == [5, 10])
    #expect(LossCurves(folder.file("nowhere")).training.isEmpty)
  }
}
