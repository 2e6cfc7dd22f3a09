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

  @Test("give harmless values that stand beside the weights of training checkpoints")
  func harmless() throws {
    // Python: argparse.Namespace(model="DiT-S/2", image_size=256), as protocol 2 writes it.
    let namespace =
      "cargparse\nNamespace\n)\u{81}}(X\u{5}\0\0\0modelX\u{7}\0\0\0DiT-S/2X\u{A}\0\0\0image_sizeM\0\u{1}ub"
    let args = try value(namespace + ".")
    #expect(args["model"] == .string("DiT-S/2") && args["image_size"] == .integer(256))
    #expect(try value("ctypes\nSimpleNamespace\n)R}X\u{1}\0\0\0aK\u{2}sb.")["a"] == .integer(2))
    #expect(try value("ctypes\nSimpleNamespace\n)R.") == .dictionary([]))
    #expect(
      try value("cpathlib\nPosixPath\n(X\u{1}\0\0\0/X\u{3}\0\0\0tmpX\u{1}\0\0\0atR.")
        == .string("/tmp/a"))
    #expect(try value("ctorch\ndevice\nX\u{4}\0\0\0cudaK\u{1}\u{86}R.") == .string("cuda:1"))
    #expect(
      try value("ctorch\nSize\nK\u{2}K\u{3}\u{86}\u{85}R.") == .list([.integer(2), .integer(3)]))
    let missing = "ccollections\ndefaultdict\nc__builtin__\nint\n\u{85}RX\u{1}\0\0\0aK\u{2}s."
    #expect(try value(missing)["a"] == .integer(2))
    #expect(try value("ccollections\nCounter\n}X\u{1}\0\0\0aK\u{2}s\u{85}R.")["a"] == .integer(2))
  }

  /// What torch.save of PyTorch 2.15 with Python 3 writes for a value of each type, and its value.
  private static let plainValues: [(name: String, pickle: String, value: PickleValue)] = {
    let types = [
      "int", "str", "bytes", "tuple", "complex", "bytearray", "slice", "range", "frozenset",
    ].map {
      (
        $0,
        "\u{8C}\u{8}builtins\u{8C}\(Character(UnicodeScalar(UInt8($0.utf8.count))))\($0)\u{93}.",
        PickleValue.opaque("a type")
      )
    }
    func bytes(_ text: String) -> String {
      let count = Character(UnicodeScalar(UInt8(text.utf8.count)))
      return "c_codecs\nencode\nX\(count)\0\0\0"
        + text.utf8.map { String(UnicodeScalar($0)) }.joined()
        + "X\u{6}\0\0\0latin1\u{86}R"
    }
    let zone = "cdatetime\ntimezone\ncdatetime\ntimedelta\nK\0K\0K\0\u{87}R\u{85}R"
    return types + [
      (
        "deque([1, 2])", "ccollections\ndeque\n)R(K\u{1}K\u{2}e.",
        .list([.integer(1), .integer(2)])
      ),
      ("deque([1], 3)", "ccollections\ndeque\n)K\u{3}\u{86}RK\u{1}a.", .list([.integer(1)])),
      (
        "1 + 2j", "c__builtin__\ncomplex\nG?\u{F0}\0\0\0\0\0\0G@\0\0\0\0\0\0\0\u{86}R.",
        .opaque("complex")
      ),
      (
        "datetime",
        "cdatetime\ndatetime\n\(bytes("\u{7}\u{EA}\u{1}\u{2}\u{3}\u{4}\u{5}\0\0\u{6}"))\u{85}R.",
        .opaque("datetime")
      ),
      (
        "datetime, UTC",
        "cdatetime\ndatetime\n\(bytes("\u{7}\u{EA}\u{1}\u{2}\0\0\0\0\0\0"))\(zone)\u{86}R.",
        .opaque("datetime")
      ),
      ("date", "cdatetime\ndate\n\(bytes("\u{7}\u{EA}\u{1}\u{2}"))\u{85}R.", .opaque("date")),
      ("time", "cdatetime\ntime\n\(bytes("\u{1}\u{2}\u{3}\0\0\0"))\u{85}R.", .opaque("time")),
      ("timedelta", "cdatetime\ntimedelta\nK\u{1}K\u{2}K\u{3}\u{87}R.", .opaque("timedelta")),
      ("bytearray", "c__builtin__\nbytearray\n\(bytes("a\u{FF}"))\u{85}R.", .bytes([0x61, 0xFF])),
      ("bytearray()", "c__builtin__\nbytearray\n)R.", .bytes([])),
      ("bytearray, protocol 5", "\u{96}\u{2}\0\0\0\0\0\0\0a\u{FF}\u{94}.", .bytes([0x61, 0xFF])),
      ("slice(1, 2)", "c__builtin__\nslice\nK\u{1}K\u{2}N\u{87}R.", .opaque("slice")),
      ("range(3)", "c__builtin__\nxrange\nK\0K\u{3}K\u{1}\u{87}R.", .opaque("range")),
      ("2**63 - 1", "\u{8A}\u{8}\(String(repeating: "\u{FF}", count: 7))\u{7F}.", .integer(.max)),
      ("2**63", "\u{8A}\u{9}\0\0\0\0\0\0\0\u{80}\0.", .opaque("an integer of 9 bytes")),
      ("-2**70", "\u{8A}\u{9}\0\0\0\0\0\0\0\0\u{C0}.", .opaque("an integer of 9 bytes")),
      (
        "1 << 3000", "\u{8B}\u{78}\u{1}\0\0\(String(repeating: "\0", count: 375))\u{1}.",
        .opaque("an integer of 376 bytes")
      ),
    ]
  }()

  @Test("give plain values of Python's, named where they mean nothing to a model")
  func plainValues() throws {
    for factory in ["long", "unicode", "bool", "float", "bytes", "tuple", "list", "dict", "set"] {
      let pickle =
        "ccollections\ndefaultdict\nc__builtin__\n\(factory)\n\u{85}RX\u{1}\0\0\0aK\u{1}s."
      #expect(try value(pickle)["a"] == .integer(1), "\(factory)")
    }
    for (name, pickle, expected) in Self.plainValues {
      #expect(try value(pickle) == expected, "\(name)")
    }
    #expect(try message("c__builtin__\nbytearray\nK\u{9}\u{85}R.").contains("bytearray"))
    #expect(try message("\u{96}\u{FF}\u{FF}\0\0\0\0\0\0a.").contains("ends in the middle"))
    #expect(try message("\u{8B}\u{FF}\u{FF}\u{FF}\u{7F}a.").contains("ends in the middle"))
  }

  @Test("give tensors of bytes with a type, and parameters with attributes")
  func otherTensors() throws {
    func typed(_ type: String, bytes: String = "\u{8}") -> String {
      "ctorch._utils\n_rebuild_tensor_v3\n((X\u{7}\0\0\0storagectorch.storage\nUntypedStorage\nX\u{1}\0\0\00X\u{3}\0\0\0cpuK\(bytes)tQK\0K\u{4}\u{85}K\u{1}\u{85}\u{89}ccollections\nOrderedDict\n)Rctorch\n\(type)\ntR."
    }
    let tensor = try #require(try value(typed("uint16")).tensor)
    #expect(tensor.dtype == .u16 && tensor.shape == [4] && tensor.storage == "0")
    #expect(try value(typed("float8_e4m3fn", bytes: "\u{4}")).tensor?.dtype == .f8e4m3)
    #expect(try value(typed("complex64")) == .opaque("a tensor of torch.complex64"))
    // Seven bytes are too few for four numbers.
    #expect(try message(typed("uint16", bytes: "\u{7}")).contains("beyond its storage"))
    #expect(try message(typed("load")).contains("'torch.load'"))
    let parameter =
      "ctorch._utils\n_rebuild_parameter_with_state\n(ctorch._utils\n_rebuild_tensor_v2\n((X\u{7}\0\0\0storagectorch\nFloatStorage\nX\u{1}\0\0\00X\u{3}\0\0\0cpuK\u{3}tQK\0K\u{3}\u{85}K\u{1}\u{85}\u{89}ccollections\nOrderedDict\n)RtR\u{88}ccollections\nOrderedDict\n)R}X\u{5}\0\0\0extraK\u{1}stR."
    #expect(try value(parameter).tensor?.shape == [3])
  }

  /// A scalar of numpy's, as protocol 2 writes it: `numpy.float64(0.5)` and its like.
  private func scalar(
    _ type: String, _ order: String, _ bytes: String, _ module: String = "numpy.core"
  )
    -> String
  {
    func text(_ text: String) -> String {
      "X\(Character(UnicodeScalar(UInt8(text.utf8.count))))\0\0\0"
        + text.utf8.map { String(UnicodeScalar($0)) }.joined()
    }
    let dtype =
      "cnumpy\ndtype\n\(text(type))\u{89}\u{88}\u{87}Rq\u{1}(K\u{3}\(text(order))NNNJ\u{FF}\u{FF}\u{FF}\u{FF}J\u{FF}\u{FF}\u{FF}\u{FF}K\0tb"
    let encoded = "c_codecs\nencode\n\(text(bytes))\(text("latin1"))\u{86}R"
    return "c\(module).multiarray\nscalar\n\(dtype)\(encoded)\u{86}R"
  }

  @Test("give numpy's numbers, of every type and byte order")
  func numpyScalars() throws {
    let cases: [(type: String, order: String, bytes: String, value: PickleValue)] = [
      ("f8", "<", "\0\0\0\0\0\0\u{E0}\u{3F}", .float(0.5)),
      ("f8", ">", "\u{3F}\u{E0}\0\0\0\0\0\0", .float(0.5)),
      ("f4", "<", "\0\0\u{C0}\u{BF}", .float(-1.5)), ("f2", "<", "\0\u{3C}", .float(1)),
      ("i8", "<", "\u{FE}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}", .integer(-2)),
      ("i4", ">", "\0\0\u{1}\0", .integer(256)), ("i1", "|", "\u{80}", .integer(-128)),
      ("u2", "<", "\u{FF}\u{FF}", .integer(65535)), ("b1", "|", "\u{1}", .bool(true)),
      ("U2", "<", "\u{E4}\0\0\0b\0\0\0", .string("äb")),
    ]
    for (type, order, bytes, expected) in cases {
      for module in ["numpy.core", "numpy._core"] {
        #expect(try value(scalar(type, order, bytes, module) + ".") == expected, "\(type)")
      }
    }
    // A type that is remembered is the same type, with its byte order.
    let two =
      "]" + scalar("i2", ">", "\0\u{1}") + "a"
      + "cnumpy.core.multiarray\nscalar\nh\u{1}c_codecs\nencode\nX\u{2}\0\0\0\0\u{2}X\u{6}\0\0\0latin1\u{86}R\u{86}Ra."
    #expect(try value(two) == .list([.integer(1), .integer(2)]))
    #expect(try message(scalar("O8", "|", "12345678") + ".").contains("numpy.dtype('O8')"))
    #expect(try message(scalar("f8", "<", "1234567") + ".").contains("do not fit"))
  }

  @Test("give numpy's arrays as lists, and bytes that are empty")
  func numpyArrays() throws {
    #expect(try value("c__builtin__\nbytes\n)R.") == .bytes([]))
    #expect(try message("c__builtin__\nbytes\nK\u{9}\u{85}R.").contains("not empty"))
    let type =
      "cnumpy\ndtype\nX\u{2}\0\0\0u2\u{89}\u{88}\u{87}R(K\u{3}X\u{1}\0\0\0>NNNJ\u{FF}\u{FF}\u{FF}\u{FF}J\u{FF}\u{FF}\u{FF}\u{FF}K\0tb"
    let empty = "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\u{85}C\u{1}b\u{87}R"
    func array(_ bytes: String) -> String {
      "\(empty)(K\u{1}K\u{2}\u{85}\(type)\u{89}C\u{4}\(bytes)tb."
    }
    #expect(try value(array("\u{1}\0\0\u{2}")) == .list([.integer(256), .integer(2)]))
    #expect(try message(array("\u{1}\0\0")).contains("pickle is broken"))
    // Protocol 5 writes the bytes, the type, the shape and the order.
    for module in ["numpy.core", "numpy._core"] {
      let filled = "c\(module).numeric\n_frombuffer\n"
      #expect(
        try value(
          "\(filled)(\u{96}\u{4}\0\0\0\0\0\0\0\u{1}\0\0\u{2}\(type)K\u{2}\u{85}X\u{1}\0\0\0CtR.")
          == .list([.integer(256), .integer(2)]))
      #expect(
        try message("\(filled)(K\u{1}\(type)K\u{2}\u{85}X\u{1}\0\0\0CtR.").contains("unknown form"))
    }
    #expect(try message("cnumpy\nndarray\n)R.").contains("a type is called"))
    #expect(
      try message("cnumpy.core.multiarray\n_reconstruct\nK\0\u{85}R.").contains("unknown array"))
  }

  @Test("still refuse other objects, and calls of what is only a value")
  func otherObjects() throws {
    for name in [
      "argparse\nArgumentParser", "omegaconf.dictconfig\nDictConfig", "numpy\nload",
      "numpy.core.multiarray\n_rebuild", "builtins\ntype", "torch\nload", "pathlib\nPath",
      "__main__\nNamespace", "builtins\nobject", "builtins\nexec", "__builtin__\neval",
      "datetime\nsys",
      "torch.storage\nTypedStorage", "zoneinfo\nZoneInfo", "collections\nChainMap",
      "numpy._core.numeric\nload",
    ] {
      let dotted = name.replacing("\n", with: ".")
      #expect(try message("c\(name)\n)\u{81}.").contains("'\(dotted)'"))
    }
    #expect(try message("c__builtin__\nint\nX\u{1}\0\0\05\u{85}R.").contains("a type is called"))
    #expect(try message("cargparse\nNamespace\nK\u{1}\u{85}R.").contains("arguments"))
    #expect(try message("cargparse\nNamespace\n)\u{81}K\u{1}b.").contains("not a dictionary"))
    #expect(try message("K\u{1}b.").contains("the stack is empty"))
    #expect(
      try message("c_codecs\nencode\nX\u{1}\0\0\0aX\u{5}\0\0\0rot13\u{86}R.").contains("encoding"))
    // A namespace that is its own state, forty times.
    let doubling =
      "cargparse\nNamespace\n)\u{81}}X\u{1}\0\0\0aK\u{1}sbq\u{1}"
      + String(repeating: "h\u{1}b", count: 40) + "."
    #expect(try message(doubling).contains("too many"))
  }

  private func value(_ pickle: String) throws -> PickleValue {
    let bytes = container(pickle.unicodeScalars.map { UInt8($0.value) })
    return try PyTorchFile(folder.write(bytes, to: "p.pt")).value
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
    #expect(try message("ctorch._utils\n_rebuild_qtensor\n.").contains("_rebuild_qtensor"))
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
