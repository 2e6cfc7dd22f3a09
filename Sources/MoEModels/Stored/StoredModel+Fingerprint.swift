import Foundation
import MoECore
import SystemPackage

extension StoredModel {
  /// A hash that distinguishes models: of the names, sizes and contents of the files with weights and settings.
  ///
  /// - Throws: `FileError`.
  /// - Complexity: O(bytes).
  package var fingerprint: String {
    get throws {
      var hash = XXHash64()
      func add(_ path: FilePath) throws {
        let file = try MappedFile(path)
        let text = "\(path.lastComponent?.string ?? "") \(file.count)\n"
        unsafe hash.update(Array(text.utf8).span.bytes)
        file.withBytes { hash.update($0) }
      }
      guard path.isDirectory else {
        try add(path)
        return String(hash.value, radix: 16)
      }
      for name in try FileManager.default.contentsOfDirectory(atPath: path.string).sorted()
      where [".safetensors", ".json", "merges.txt"].contains(where: name.hasSuffix) {
        try add(path.appending(name))
      }
      return String(hash.value, radix: 16)
    }
  }
}
