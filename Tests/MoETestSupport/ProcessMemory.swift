import Foundation

/// Memory of this process that nobody else shares and no file backs, in bytes.
package func privateMemory() throws -> Int {
  let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
    let kilobytes = line.split(whereSeparator: \.isWhitespace).compactMap({ Int($0) }).first
  else { return 0 }
  return kilobytes * 1024
}
