import Foundation
import MoECore
import SystemPackage

/// Where the native libraries come from: which wheels, and whether their hashes were checked.
///
/// `Scripts/setup` writes a line for each, `make install` copies them.
enum LibraryOrigins {
  /// What to say of the wheel of a package: nothing if it is the pinned one, or if there is no record.
  static func note(on package: String, for program: FilePath) -> String {
    lines(for: program).filter { $0.hasPrefix("\(package)-") && !$0.hasSuffix(", as pinned") }
      .map { "; \($0)" }.joined()
  }

  private static func lines(for program: FilePath) -> [String] {
    let folder = (program.resolved ?? program).removingLastComponent()
    let installed = folder.removingLastComponent().pushing("share/switchyard/libraries.txt")
    // A built program has links beside it to the libraries in .deps.
    let recorded = ["libc10.so", "libhighs.so", "libc10.dylib", "libhighs.dylib"].compactMap {
      let library = folder.appending($0)
      return library.exists
        ? library.resolved?.removingLastComponent().removingLastComponent().appending("origin")
        : nil
    }
    return ([installed] + recorded).compactMap { try? readText($0) }
      .flatMap { $0.split(separator: "\n").map { String($0).printable } }
  }
}
