import MoECore
import MoETestSupport
import MoETraining
import SystemPackage
import Testing

@Suite("The models of a run")
struct RunFolderTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func create(_ names: String...) throws {
    for name in names { try folder.path.pushing(FilePath(name)).createFolders() }
  }

  @Test("are its snapshots and then its result, which represents the newest checkpoint")
  func models() throws {
    #expect(RunFolder(folder.path) == nil)
    _ = try folder.write([], to: "run.json")
    #expect(RunFolder(folder.path) == nil)
    try create("snapshots/step-00000005", "snapshots/step-00000020", "snapshots/other")
    let kept = try #require(RunFolder(folder.path))
    #expect(kept.models.map(\.step) == [5, 20] && kept.name == folder.path.lastComponent?.string)
    try create("model", "checkpoints/step-00000020")
    _ = try folder.write([], to: "model/config.json")
    let models = try #require(RunFolder(folder.path)).models
    #expect(models.map(\.step) == [5, 20])
    #expect(models.map(\.path.lastComponent?.string) == ["step-00000005", "model"])
  }
}
