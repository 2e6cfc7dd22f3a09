package import SystemPackage

/// The files in `Tests/Fixtures`; each is made by a script in `Tests/Fixtures/make`.
package enum Fixtures {
  private static let tests = FilePath(#filePath).removingLastComponent().removingLastComponent()

  /// The top folder of the package.
  package static var package: FilePath { tests.removingLastComponent() }

  /// The path of a fixture.
  package static func path(_ name: String) -> FilePath {
    tests.appending("Fixtures").appending(name)
  }
}
