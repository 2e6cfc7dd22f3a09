import MoETestSupport

/// GGUF files that break one rule of the format each, and a valid one to start from.
enum GGUFCorpus {
  private typealias B = GGUFBytes

  /// One key of every kind, and three tensors: f32 [2, 3], Q8_0 [1, 32], f16 [4].
  static let validParts: GGUFBytes = {
    var parts = GGUFBytes()
    parts.keys = [
      B.key("text", "größe"), B.key("u32", UInt32(7)), B.key("f32", Float(0.1)),
      B.key("u8", 0, [9]), B.key("i8", 1, [0xFF]), B.key("u16", 2, [1, 2]),
      B.key("i16", 3, [0xFE, 0xFF]), B.key("i32", 5, [0xFD, 0xFF, 0xFF, 0xFF]),
      B.key("bool", 7, [1]), B.key("u64", 10, B.number(UInt64(1) << 40)),
      B.key("i64", 11, B.number(Int64(-5))), B.key("f64", 12, B.number((0.25).bitPattern)),
      B.key("texts", ["a", "", "ß"]), B.key("numbers", [1, -2, 3] as [Int32]),
      B.key("floats", [0.5, -1] as [Float]),
      B.key(
        "lists", 9,
        B.number(UInt32(9)) + B.number(UInt64(1)) + B.number(UInt32(0)) + B.number(UInt64(2))
          + [1, 2]),
    ]
    parts.tensors = [
      B.tensor("a", [3, 2], at: 0), B.tensor("b", [32, 1], type: 8, at: 32),
      B.tensor("c", [4], type: 1, at: 96),
    ]
    parts.data = (0..<104).map { UInt8($0) }
    return parts
  }()

  static let valid = validParts.bytes

  private static func changed(_ change: (inout GGUFBytes) -> Void) -> [UInt8] {
    var parts = validParts
    change(&parts)
    return parts.bytes
  }

  private static func key(_ bytes: [UInt8]) -> [UInt8] { changed { $0.keys.append(bytes) } }

  private static func tensor(_ bytes: [UInt8]) -> [UInt8] { changed { $0.tensors[0] = bytes } }

  private static func nested(_ levels: Int) -> [UInt8] {
    let list = B.number(UInt32(9)) + B.number(UInt64(1))
    let inside = (1..<levels).flatMap { _ in list }
    return key(B.key("deep", 9, inside + B.number(UInt32(0)) + B.number(UInt64(0))))
  }

  /// Every file here must be refused.
  static let malformed: [(name: String, bytes: [UInt8])] =
    [
      ("another magic", changed { $0.magic = Array("GGML".utf8) }),
      ("safetensors", [8, 0, 0, 0, 0, 0, 0, 0] + Array("{}      ".utf8)),
      ("version 0", changed { $0.version = 0 }),
      ("version 1", changed { $0.version = 1 }),
      ("version 4", changed { $0.version = 4 }),
      ("big-endian", changed { $0.version = 3 << 24 }),
      ("too many tensors", changed { $0.tensorCount = .max }),
      ("one tensor more", changed { $0.tensorCount = 4 }),
      ("2^40 tensors", changed { $0.tensorCount = 1 << 40 }),
      ("too many keys", changed { $0.keyCount = .max }),
      ("one key more", changed { $0.keyCount = 17 }),
      ("one key fewer", changed { $0.keyCount = 15 }),
      ("duplicate key", key(B.key("u32", UInt32(7)))),
      ("type of value 13", key(B.key("x", 13, [0, 0, 0, 0]))),
      ("type of value 2^32 - 1", key(B.key("x", .max, [0]))),
      ("truth 2", key(B.key("x", 7, [2]))),
      ("text longer than the file", key(B.text("x") + B.number(UInt32(8)) + B.number(UInt64.max))),
      ("text of 2^63 bytes", key(B.text("x") + B.number(UInt32(8)) + B.number(UInt64(1) << 63))),
      ("text that is not UTF-8", key(B.key("x", 8, B.number(UInt64(2)) + [0xC3, 0x28]))),
      ("key that is not UTF-8", key(B.number(UInt64(1)) + [0xFF] + B.number(UInt32(0)) + [1])),
      (
        "key of 65,536 bytes", key(B.key(String(repeating: "k", count: 65_536), UInt32(1)))
      ),
      (
        "list longer than the file",
        key(B.key("x", 9, B.number(UInt32(0)) + B.number(UInt64(1) << 40)))
      ),
      (
        "list whose bytes overflow", key(B.key("x", 9, B.number(UInt32(12)) + B.number(UInt64.max)))
      ),
      ("list of type 13", key(B.key("x", 9, B.number(UInt32(13)) + B.number(UInt64(0))))),
      (
        "list of texts cut short",
        key(B.key("x", 9, B.number(UInt32(8)) + B.number(UInt64(1)) + B.number(UInt64(1) << 50)))
      ),
      ("lists five deep", nested(5)),
      ("lists 10,000 deep", nested(10_000)),
      ("alignment 0", key(B.key("general.alignment", UInt32(0)))),
      ("alignment 24", key(B.key("general.alignment", UInt32(24)))),
      ("alignment 2^31", key(B.key("general.alignment", UInt32(1) << 31))),
      ("alignment as text", key(B.key("general.alignment", "32"))),
      ("alignment that offsets miss", key(B.key("general.alignment", UInt32(64)))),
      ("duplicate tensor", tensor(B.tensor("b", [3, 2]))),
      ("no dimensions", tensor(B.tensor("a", []))),
      ("five dimensions", tensor(B.tensor("a", [1, 1, 1, 1, 1]))),
      ("2^32 - 1 dimensions", tensor(B.tensor("a", [1], rank: .max))),
      ("size 0", tensor(B.tensor("a", [0, 2]))),
      ("later size 0", tensor(B.tensor("a", [3, 0]))),
      ("size 2^64 - 1", tensor(B.tensor("a", [.max, 2]))),
      ("sizes that overflow", tensor(B.tensor("a", [1 << 32, 1 << 32]))),
      ("sizes that overflow as bytes", tensor(B.tensor("a", [1 << 61]))),
      ("row that is not a whole number of blocks", tensor(B.tensor("a", [31, 1], type: 8))),
      ("row of half a block in columns of whole ones", tensor(B.tensor("a", [16, 2], type: 2))),
      ("row of 128 in blocks of 256", tensor(B.tensor("a", [128], type: 12))),
      ("row of 384 in blocks of 256", tensor(B.tensor("a", [384], type: 14))),
      ("rows of 128 that make whole blocks of 256", tensor(B.tensor("a", [128, 2], type: 10))),
      ("row of 16 in MXFP4", tensor(B.tensor("a", [16], type: 39))),
      ("Q3_K block over the next tensor", tensor(B.tensor("a", [256], type: 11))),
      ("Q5_K blocks beyond the file", tensor(B.tensor("a", [256, 2], type: 13))),
      ("IQ4_NL blocks beyond the file", tensor(B.tensor("a", [32, 1_000], type: 20))),
      ("Q5_1 sizes that overflow as bytes", tensor(B.tensor("a", [1 << 62, 32], type: 7))),
      ("type Q8_1", tensor(B.tensor("a", [32], type: 9))),
      ("type Q8_K", tensor(B.tensor("a", [256], type: 15))),
      ("type IQ2_XXS", tensor(B.tensor("a", [256], type: 16))),
      ("type I32", tensor(B.tensor("a", [3], type: 26))),
      ("type 4, which is gone", tensor(B.tensor("a", [32], type: 4))),
      ("type 1,000", tensor(B.tensor("a", [32], type: 1_000))),
      ("offset 1", tensor(B.tensor("a", [3, 2], at: 1))),
      ("offset at the end", tensor(B.tensor("a", [3, 2], at: 128))),
      ("offset 2^64 - 32", tensor(B.tensor("a", [3, 2], at: .max - 31))),
      ("offset 2^63", tensor(B.tensor("a", [3, 2], at: 1 << 63))),
      ("size beyond the file", tensor(B.tensor("a", [3, 1_000]))),
      ("overlap", tensor(B.tensor("a", [3, 3]))),
      ("same bytes twice", tensor(B.tensor("a", [3, 2], at: 32))),
      (
        "name that is not UTF-8",
        tensor(B.number(UInt64(1)) + [0xFF] + B.tensor("", [3]).dropFirst(8))
      ),
      ("name of 2,000 bytes", tensor(B.tensor(String(repeating: "n", count: 2_000), [3, 2]))),
      ("data missing", changed { $0.data = [] }),
      ("last byte missing", changed { $0.data.removeLast() }),
    ] + (0..<valid.count).map { ("valid file cut to \($0) bytes", Array(valid.prefix($0))) }
}
