import Foundation
import SystemPackage

/// A temporary folder that only this user can enter, under a name that nobody can predict: in a folder that all users
/// share, others could put a link under a predictable name.
struct ScratchFolder {
  /// A folder that cannot be created.
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// The folder.
  let path: FilePath

  /// Creates a folder in the temporary folder.
  init() throws {
    let parent = FilePath(NSTemporaryDirectory())
    var name = Array(parent.appending("switchyard-doctor-XXXXXX").string.utf8CString)
    guard unsafe mkdtemp(&name) != nil else {
      let reason = unsafe String(cString: strerror(errno))
      throw Failure(description: "no folder can be created in \(parent): \(reason)")
    }
    path = FilePath(String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
  }

  /// Removes the folder and all that is in it.
  func remove() { try? FileManager.default.removeItem(atPath: path.string) }

  /// The folder that it is in.
  var parent: FilePath { path.removingLastComponent() }
}
