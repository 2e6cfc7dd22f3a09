import Foundation
import MoETestSupport
import SystemPackage
import Testing

/// The guide for whoever changes the project.
@Suite("CONTRIBUTING.md")
struct ContributingTests {
  private static let roots = [
    "Sources", "Tests", "Snippets", "Benchmarks", "Scripts", "Documentation",
  ]

  /// What the guide names in backquotes and looks like a path of the repository.
  private static func paths(in text: String) -> [String] {
    text.matches(of: /`([A-Za-z.]+\/[^` ]+)`/).map { String($0.output.1) }
      .filter { path in roots.contains { path.hasPrefix($0 + "/") } }
  }

  @Test("names only files and folders that exist")
  func paths() throws {
    let text = String(
      decoding: try readBytes(Fixtures.package.appending("CONTRIBUTING.md")), as: UTF8.self)
    let paths = Self.paths(in: text)
    #expect(paths.count > 60, "\(paths.count)")
    for path in Set(paths).sorted() {
      let file = Fixtures.package.pushing(FilePath(path)).string
      #expect(FileManager.default.fileExists(atPath: file), "\(path)")
    }
    #expect(
      Self.paths(in: "see `Sources/a/b.swift`, not `a/b` or `make test`") == ["Sources/a/b.swift"])
  }

  @Test("has a recipe for each thing that can be added")
  func recipes() throws {
    let text = String(
      decoding: try readBytes(Fixtures.package.appending("CONTRIBUTING.md")), as: UTF8.self)
    for kind in ["family", "router", "expert kind", "solver", "importer", "command", "kernel"] {
      #expect(
        text.contains("### A \(kind)\n") || text.contains("### An \(kind)\n"),
        "no recipe for a \(kind)")
    }
  }
}
