import MoECore

/// Files that break one rule of the format each, and a valid one to start from.
enum SafetensorsCorpus {
  /// A file with the given header text and data.
  static func file(_ header: String, data: [UInt8] = []) -> [UInt8] {
    file(Array(header.utf8), data: data)
  }

  static func file(_ header: [UInt8], data: [UInt8] = []) -> [UInt8] {
    length(header.count) + header + data
  }

  static func length(_ count: Int) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
  }

  /// Two tensors, 8 and 6 bytes, and metadata.
  static let valid = file(
    #"{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
      + #""b":{"dtype":"BF16","shape":[3,1],"data_offsets":[8,14]}}  "#,
    data: Array(1...14))

  /// A header with one tensor whose fields are given as JSON.
  private static func one(
    dtype: String = #""F32""#, shape: String = "[2]", offsets: String = "[0,8]", extra: String = "",
    dataBytes: Int = 8
  ) -> [UInt8] {
    file(
      #"{"a":{"dtype":\#(dtype),"shape":\#(shape),"data_offsets":\#(offsets)\#(extra)}}"#,
      data: Array(repeating: 7, count: dataBytes))
  }

  private static let tensor = #"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#
  private static let eight = [UInt8](repeating: 7, count: 8)

  /// Every file here must be refused.
  static let malformed: [(name: String, bytes: [UInt8])] =
    [
      ("empty file", []),
      ("seven bytes", [UInt8](repeating: 0, count: 7)),
      ("length alone", length(10)),
      ("zero-length header", length(0)),
      ("header length 2^63", [0, 0, 0, 0, 0, 0, 0, 0x80]),
      ("header length 2^64 - 1", [UInt8](repeating: 255, count: 8)),
      ("header above the limit", length(100_000_001) + Array("{}".utf8)),
      ("header longer than the file", length(1000) + Array("{}".utf8)),
      ("text file", Array("This is not a safetensors file, but long enough.".utf8)),
      ("zip file", [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 60)),
      ("leading space", file(" {}")),
      ("array at the top", file("[]")),
      ("number at the top", file("1")),
      ("unclosed object", file(#"{"a":"# + tensor, data: eight)),
      ("text after the object", file("{}x")),
      ("second object", file("{}{}")),
      ("trailing comma", file(#"{"a":"# + tensor + ",}", data: eight)),
      ("missing colon", file(#"{"a" "# + tensor + "}", data: eight)),
      ("single quotes", file("{'a':" + tensor + "}", data: eight)),
      ("unquoted key", file("{a:" + tensor + "}", data: eight)),
      ("comment", file(#"{/* */"a":"# + tensor + "}", data: eight)),
      ("duplicate tensor", file(#"{"a":\#(tensor),"a":\#(tensor)}"#, data: eight)),
      (
        "duplicate tensor by escape", file(#"{"a":\#(tensor),"\u0061":\#(tensor)}"#, data: eight)
      ),
      ("duplicate metadata", file(#"{"__metadata__":{},"__metadata__":{}}"#)),
      ("duplicate metadata key", file(#"{"__metadata__":{"k":"1","k":"2"}}"#)),
      ("duplicate field", one(extra: #","dtype":"F32""#)),
      ("unknown field", one(extra: #","stride":[1]"#)),
      ("metadata with a number", file(#"{"__metadata__":{"k":1}}"#)),
      ("metadata with an object", file(#"{"__metadata__":{"k":{}}}"#)),
      ("metadata as a list", file(#"{"__metadata__":[]}"#)),
      ("missing dtype", file(#"{"a":{"shape":[2],"data_offsets":[0,8]}}"#, data: eight)),
      ("missing shape", file(#"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#, data: eight)),
      ("missing offsets", file(#"{"a":{"dtype":"F32","shape":[2]}}"#, data: eight)),
      ("tensor as null", file(#"{"a":null}"#)),
      ("unknown dtype", one(dtype: #""F31""#)),
      ("lower-case dtype", one(dtype: #""f32""#)),
      ("dtype as a number", one(dtype: "7")),
      ("wrong dtype for the size", one(dtype: #""F64""#)),
      ("negative shape", one(shape: "[-2]")),
      ("fraction in shape", one(shape: "[2.0]")),
      ("exponent in shape", one(shape: "[2e0]")),
      ("leading zero in shape", one(shape: "[02]")),
      ("plus sign in shape", one(shape: "[+2]")),
      ("text in shape", one(shape: #"["2"]"#)),
      ("list in shape", one(shape: "[[2]]")),
      ("shape as a number", one(shape: "2")),
      ("shape overflow", one(shape: "[4294967296,4294967296]")),
      (
        "shape overflow hidden by zero",
        one(shape: "[4294967296,4294967296,0]", offsets: "[0,0]", dataBytes: 0)
      ),
      ("size above 64 bits", one(shape: "[99999999999999999999999]")),
      ("byte overflow", one(shape: "[4611686018427387904]")),
      (
        "65 dimensions",
        one(shape: "[2" + String(repeating: ",1", count: 64) + "]")
      ),
      ("negative offset", one(offsets: "[-1,7]")),
      ("reversed offsets", one(offsets: "[8,0]")),
      ("offset beyond the data", one(offsets: "[0,16]")),
      ("offset above 64 bits", one(offsets: "[0,18446744073709551624]")),
      ("one offset", one(offsets: "[8]")),
      ("three offsets", one(offsets: "[0,4,8]")),
      ("too few bytes for the shape", one(shape: "[3]")),
      ("too many bytes for the shape", one(shape: "[1]")),
      ("trailing byte", one(dataBytes: 9)),
      ("missing byte", one(dataBytes: 7)),
      ("data without tensors", file("{}", data: [1])),
      ("hole at the start", one(offsets: "[4,12]", dataBytes: 12)),
      (
        "hole between tensors",
        file(
          #"{"a":\#(tensor),"b":{"dtype":"U8","shape":[1],"data_offsets":[9,10]}}"#,
          data: [UInt8](repeating: 7, count: 10))
      ),
      (
        "overlap",
        file(
          #"{"a":\#(tensor),"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
          data: [UInt8](repeating: 7, count: 12))
      ),
      ("same bytes twice", file(#"{"a":\#(tensor),"b":\#(tensor)}"#, data: eight)),
      (
        "invalid UTF-8 in a name",
        file(
          Array(#"{""#.utf8) + [0xFF, 0xFE] + Array(#"":"#.utf8) + Array(tensor.utf8)
            + Array("}".utf8), data: eight)
      ),
      (
        "overlong UTF-8",
        file(Array(#"{"__metadata__":{""#.utf8) + [0xC0, 0x80] + Array(#"":""}}"#.utf8))
      ),
      (
        "encoded surrogate",
        file(Array(#"{"__metadata__":{""#.utf8) + [0xED, 0xA0, 0x80] + Array(#"":""}}"#.utf8))
      ),
      ("lone surrogate escape", file(#"{"__metadata__":{"\ud800":""}}"#)),
      ("broken escape", file(#"{"__metadata__":{"\x41":""}}"#)),
      ("short unicode escape", file(#"{"__metadata__":{"\u12":""}}"#)),
      ("control character in a string", file("{\"__metadata__\":{\"a\u{1}\":\"\"}}")),
      ("unclosed string", file(#"{"abc"#)),
      (
        "nested 10,000 deep",
        file(String(repeating: #"{"a":"#, count: 10_000) + String(repeating: "}", count: 10_000))
      ),
      ("lists 10,000 deep", file(#"{"a":"# + String(repeating: "[", count: 10_000))),
      ("null byte in the header", file([0x7B, 0, 0x7D])),
      ("byte order mark", file([0xEF, 0xBB, 0xBF, 0x7B, 0x7D])),
    ]
    + (0..<valid.count).map { ("valid file cut to \($0) bytes", Array(valid.prefix($0))) }
}
