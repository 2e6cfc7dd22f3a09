import Foundation

/// A process that does the same work with other software, one request at a time.
final class Peer {
  /// The result of a benchmark.
  struct Answer: Decodable {
    /// Median seconds of one iteration.
    var seconds: Double
    /// Additional private memory, if measured.
    var bytes: Int?
  }

  struct Request: Encodable {
    var benchmark: String
    var iterations: Int
    var threads: Int
    var path: String
  }

  struct Failed: Error, CustomStringConvertible {
    var description: String
  }

  /// Names and versions of the peer's software.
  let name: String
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()

  /// Starts `python` with a script that uses the protocol of `peers/torch_peer.py`.
  init(python: String, script: String) throws {
    process.executableURL = URL(filePath: python)
    process.arguments = [script]
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    struct Greeting: Decodable { var name: String }
    name = try JSONDecoder().decode(Greeting.self, from: Self.line(from: output)).name
  }

  deinit {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  func ask(_ request: Request) throws -> Answer {
    let text = try JSONEncoder().encode(request) + Data("\n".utf8)
    try input.fileHandleForWriting.write(contentsOf: text)
    return try JSONDecoder().decode(Answer.self, from: Self.line(from: output))
  }

  private static func line(from pipe: Pipe) throws -> Data {
    var line = Data()
    while true {
      guard let byte = try pipe.fileHandleForReading.read(upToCount: 1), !byte.isEmpty else {
        throw Failed(description: "the peer ended early; its message is above")
      }
      if byte == Data("\n".utf8) { return line }
      line += byte
    }
  }
}
