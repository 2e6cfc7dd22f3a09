import MoEReport
import SystemPackage

extension Page {
  /// Writes a page of `inspect`, whose footer says how it was made.
  func writeInspection(to path: FilePath) throws {
    var page = self
    page.footer =
      "Made by 'switchyard inspect'. \(footer) The same numbers are in the output of --json."
    try page.write(to: path)
  }
}
