import MoETestSupport
import MoETraining
import Testing

@Suite("Tables of a run")
struct RoutingHistoryTests {
  @Test("are read by the names of their columns, without a row that is being written")
  func table() throws {
    let folder = try TemporaryFolder()
    _ = try folder.write(
      Array("step,loss,note\n1,3.5,a\n2,2.5,b\n3,1".utf8), to: "evaluation.csv")
    let table = MetricsTable(folder.file("evaluation.csv"))
    #expect(table.columns == ["step", "loss", "note"] && table.rows.count == 2)
    #expect(table.numbers("loss") == [3.5, 2.5] && table.last("step") == 2)
    #expect(table.numbers("note") == nil && table.numbers("accuracy") == nil)
    #expect(MetricsTable(folder.file("nowhere")).rows.isEmpty)
    #expect(MetricsTable(folder.path).columns.isEmpty)
  }

  @Test("give the loads of experts by step and layer, and leave out invalid rows")
  func history() throws {
    let folder = try TemporaryFolder()
    let rows = [
      "step,layer,entropy,dropped_share,imbalance,load", "1,0,1.5,0,1.2,3 5", "1,1,1.4,0,2,0 8",
      "5,0,1.5,0,1,4 4", "5,1,1.4,0,x,4 4", "5,1,1.4,0,1.5,6 two", "5,1,1.4,0,1.5,6 2",
    ]
    _ = try folder.write(Array((rows.joined(separator: "\n") + "\n").utf8), to: "routing.csv")
    let history = RoutingHistory(folder.path)
    #expect(history.steps == [1, 5] && history.layers == [0, 1])
    #expect(history.entries(ofLayer: 1).map(\.load) == [[0, 8], [6, 2]])
    #expect(history.entries(ofLayer: 0).map(\.imbalance) == [1.2, 1])
    #expect(RoutingHistory(folder.file("nowhere")).entries.isEmpty)
  }
}
