import Foundation
import MoECore
public import SystemPackage

/// Folders that are named by the steps of a training, such as `step-00000200`.
public struct StepFolders: Hashable, Sendable {
  /// The folder that holds them.
  public let folder: FilePath

  /// Uses the folder that holds them, which may not exist.
  public init(_ folder: FilePath) { self.folder = folder }

  /// Eight digits, so that names sort like numbers.
  public static func name(ofStep step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  /// The folder of a step, which may not exist.
  public func path(ofStep step: Int) -> FilePath { folder.appending(Self.name(ofStep: step)) }

  /// Steps that have a folder, in ascending order.
  public func steps() -> [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.string)) ?? []
    return names.compactMap { name in
      Int(name.dropFirst(5)).flatMap { Self.name(ofStep: $0) == name ? $0 : nil }
    }.sorted()
  }

  /// The folder of the last step, if any.
  public var newest: FilePath? { steps().last.map(path) }
}
