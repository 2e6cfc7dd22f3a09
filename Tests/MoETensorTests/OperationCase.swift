import Foundation
import MoECore
import MoETensor
import MoETestSupport

/// A case of `Tests/Fixtures/operations.safetensors`: an operation's arguments and PyTorch's
/// results.
struct OperationCase: Decodable {
  var name: String
  var op: String
  var inputs: Int
  var outputs: Int
  /// Positions of the inputs for which gradients are given.
  var gradients: [Int]
  var ints: [String: Int]
  var lists: [String: [Int]]
  var numbers: [String: Double]
  var flags: [String: Bool]

  func int(_ key: String) -> Int { ints[key] ?? 0 }
  func list(_ key: String) -> [Int] { lists[key] ?? [] }
  func number(_ key: String) -> Double { numbers[key] ?? .nan }
  func flag(_ key: String) -> Bool { flags[key] ?? false }

  static func all(in file: SafetensorsFile) throws -> [OperationCase] {
    let text = file.header.metadata["cases"] ?? ""
    return try JSONDecoder().decode([OperationCase].self, from: Data(text.utf8))
  }
}
