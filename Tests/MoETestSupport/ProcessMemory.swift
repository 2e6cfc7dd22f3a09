import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// Memory of this process that is neither shared nor backed by a file, in bytes.
package func privateMemory() throws -> Int {
  let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
    let kilobytes = line.split(whereSeparator: \.isWhitespace).compactMap({ Int($0) }).first
  else { return 0 }
  return kilobytes * 1024
}

/// Returns memory that the heap keeps for later to the system, so that the rest is in use.
package func giveBackFreedMemory() {
  #if canImport(Glibc)
  // Its header is not part of Swift's module.
  guard let found = unsafe dlsym(nil, "malloc_trim") else { return }
  let trim = unsafe unsafeBitCast(found, to: (@convention(c) (Int) -> CInt).self)
  _ = trim(0)
  #endif
}
