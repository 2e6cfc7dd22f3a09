package import SystemPackage
package import Testing

/// Real data for development, which may be next to the package; tests that need it are skipped
/// without it.
package enum SharedData {
  private static let folder = Fixtures.package.removingLastComponent().appending("shared/data")

  /// Where a file or folder is, if there is one.
  package static func path(_ name: String) -> FilePath { folder.appending(name) }

  /// Whether it exists.
  package static func exists(_ name: String) -> Bool { (try? path(name).stat()) != nil }

  /// Why a test was skipped.
  package static func missing(_ name: String) -> Comment {
    "needs the development data in ../shared/data/\(name)"
  }
}
