import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("Files of torch.save")
struct PyTorchFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("give the tensors of a state dictionary: parameters, views and scalars")
  func state() throws {
    let file = try PyTorchFile(Fixtures.path("traces/state.pt"))
    let weight = try #require(file.value["weight"]?.tensor)
    #expect(weight.dtype == .f32 && weight.shape == [3, 4])
    let numbers = try file.bytes(of: weight)
    #expect(Array(numbers[4..<8]) == [0, 0, 0x80, 0x3F])
    let view = try #require(file.value["view"]?.tensor)
    #expect(view.shape == [3, 3] && view.strides == [1, 4])
    // Column 1 of 0…11 in rows of four: 1, 5, 9.
    #expect(Array(try file.bytes(of: view)[4..<8]) == [0, 0, 0xA0, 0x40])
    #expect(file.value["half"]?.tensor?.dtype == .bf16)
    let step = try #require(file.value["step"]?.tensor)
    #expect(try file.integers(of: step) == [7])
    #expect(throws: PickleError.self) { try file.integers(of: weight) }
  }

  @Test("refuse everything that could execute, by name, and execute nothing")
  func hostile() throws {
    let path = Fixtures.path("traces/hostile.pt")
    #expect(throws: PickleError(path: path, reason: .forbiddenGlobal("builtins.eval"))) {
      do { _ = try PyTorchFile(path) } catch let error as PickleError {
        guard case .forbiddenGlobal(let name) = error.reason, name.hasSuffix(".eval") else {
          throw error
        }
        throw PickleError(path: path, reason: .forbiddenGlobal("builtins.eval"))
      }
    }
    #expect(!FileManager.default.fileExists(atPath: "/tmp/switchyard-was-here"))
  }

  /// An uncompressed zip with one record, as small as the format allows.
  private func container(_ pickle: [UInt8]) -> [UInt8] {
    func number(_ value: Int, _ size: Int) -> [UInt8] {
      (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let name = Array("a/data.pkl".utf8)
    let local =
      number(0x0403_4B50, 4) + number(0, 14) + number(pickle.count, 4) + number(pickle.count, 4)
      + number(name.count, 2) + number(0, 2) + name + pickle
    let entry =
      number(0x0201_4B50, 4) + number(0, 16) + number(pickle.count, 4) + number(pickle.count, 4)
      + number(name.count, 2) + number(0, 12) + number(0, 4) + name
    let end =
      number(0x0605_4B50, 4) + number(0, 4) + number(1, 2) + number(1, 2) + number(entry.count, 4)
      + number(local.count, 4) + number(0, 2)
    return local + entry + end
  }

  private func message(_ pickle: String) throws -> String {
    let path = try folder.write(
      container(Array(pickle.unicodeScalars.map { UInt8($0.value) })), to: "p.pt")
    do {
      return "\(try PyTorchFile(path).value)"
    } catch { return "\(error)" }
  }

  @Test("are refused with a reason when the pickle is broken or hostile")
  func malformed() throws {
    #expect(try message("K\u{7}.") == "integer(7)")
    #expect(try message("cos\nsystem\n.").contains("'os.system'"))
    #expect(try message("ctorch._utils\n_rebuild_tensor_v3\n.").contains("_rebuild_tensor_v3"))
    #expect(try message("cbuiltins\ngetattr\n.").contains("'builtins.getattr'"))
    #expect(try message("i").contains("0x69"))
    #expect(try message("K").contains("ends in the middle"))
    #expect(try message(".").contains("nothing is left"))
    #expect(try message("h\u{5}.").contains("memo"))
    #expect(try message("e.").contains("no mark"))
    #expect(try message("K\u{1}K\u{2}a.").contains("not a list"))
    #expect(try message("K\u{1})R.").contains("not a function"))
    #expect(try message("]q\u{0}h\u{0}a.").contains("too deeply"))
    #expect(try message("X\u{FF}\u{FF}\u{FF}\u{7F}a.").contains("ends in the middle"))
    // Lists of the same list twice, thirty levels deep: a billion values in a hundred bytes.
    let bomb =
      "]"
      + (0..<30).map {
        "q\(Character(UnicodeScalar($0)!))0](h\(Character(UnicodeScalar($0)!))h\(Character(UnicodeScalar($0)!))e"
      }.joined() + "."
    #expect(try message(bomb).contains("too many"))
  }

  @Test("cut or changed files are refused or read, and never end the program")
  func damaged() throws {
    let bytes = try readBytes(Fixtures.path("traces/state.pt"))
    var generator = SeededGenerator(seed: 1)
    for round in 0..<300 {
      var changed = bytes
      if round.isMultiple(of: 3) {
        changed = Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &generator)))
      } else {
        for _ in 0..<4 {
          changed[Int.random(in: 0..<bytes.count, using: &generator)] = .random(
            in: 0...255, using: &generator)
        }
      }
      let path = try folder.write(changed, to: "d.pt")
      if let file = try? PyTorchFile(path), case .dictionary(let entries) = file.value {
        for entry in entries {
          if let tensor = entry.value.tensor { _ = try? file.bytes(of: tensor) }
        }
      }
    }
  }
}
