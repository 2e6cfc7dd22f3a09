import Foundation
import SystemPackage

/// Finds the commit of the working tree that contains a folder, without running git.
enum GitCommit {
  /// The commit that is checked out, or `nil` outside of working trees.
  static func find(from start: FilePath) -> String? {
    var folder = start
    while true {
      let candidate = folder.appending(".git")
      if (try? candidate.stat()) != nil { return commit(candidate) }
      guard !folder.removingLastComponent().isEmpty, folder != folder.removingLastComponent() else {
        return nil
      }
      folder = folder.removingLastComponent()
    }
  }

  private static func commit(_ path: FilePath) -> String? {
    var git = path
    // In a linked working tree, `.git` is a file with the path of the real folder.
    if let link = text(path), link.hasPrefix("gitdir: ") {
      git = path.removingLastComponent().pushing(FilePath(String(link.dropFirst(8))))
    }
    guard let head = text(git.appending("HEAD")) else { return nil }
    guard head.hasPrefix("ref: ") else { return head }
    let name = String(head.dropFirst(5))
    let common = text(git.appending("commondir")).map { git.pushing(FilePath($0)) } ?? git
    return text(common.pushing(FilePath(name))) ?? packed(name, in: common)
  }

  private static func packed(_ name: String, in git: FilePath) -> String? {
    text(git.appending("packed-refs"))?.split(separator: "\n").first { $0.hasSuffix(" " + name) }
      .map { String($0.prefix { $0 != " " }) }
  }

  /// A file's text, trimmed; `nil` for folders and unreadable files.
  private static func text(_ path: FilePath) -> String? {
    (try? String(contentsOfFile: path.string, encoding: .utf8))?
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
