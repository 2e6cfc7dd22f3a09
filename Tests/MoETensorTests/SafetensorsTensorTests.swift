import MoECore
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// Fixture: `Tests/Fixtures/make/interchange.py`.
@Suite("Tensors in safetensors files")
struct SafetensorsTensorTests {
  private let path = Fixtures.path("interchange.safetensors")

  @Test("written by the Python library are read, in every type")
  func readsPython() throws {
    let file = try SafetensorsFile(path)
    #expect(file.header.metadata == ["format": "pt"])
    for dtype in DType.allCases {
      let tensor = try file.tensor(named: dtype.rawValue)
      #expect(tensor.dtype == dtype && tensor.shape == [2, 3])
      let expected = (0..<6).map { Double(dtype == .bool ? $0 % 2 : $0) }
      #expect(tensor.cast(to: .f64).array(of: Double.self) == expected, "\(dtype)")
      #expect(try file.tensor(named: "\(dtype).empty").shape == [0, 2])
    }
    let scalar = try file.tensor(named: "scalar é中😀 \"quoted\" \\ \n")
    #expect(scalar.item() == 2.5 as Float)
  }

  @Test("are written byte for byte as the Python library writes them")
  func writesLikePython() throws {
    let source = try SafetensorsFile(path)
    var tensors: [String: Tensor] = [:]
    for entry in source.header.entries {
      tensors[entry.name] = try source.tensor(named: entry.name)
    }
    let folder = try TemporaryFolder()
    let copy = folder.file("copy.safetensors")
    try SafetensorsFile.write(tensors, metadata: source.header.metadata, to: copy)
    #expect(try readBytes(copy) == readBytes(path))
  }

  @Test("at odd offsets in the file are read")
  func misaligned() throws {
    let folder = try TemporaryFolder()
    var bytes = Array(
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}"#
        .utf8)
    bytes = (0..<8).map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) } + bytes + [7]
    for number in [1.5, -2] as [Float] {
      for shift in [0, 8, 16, 24] {
        bytes.append(UInt8(truncatingIfNeeded: number.bitPattern >> shift))
      }
    }
    let file = try SafetensorsFile(try folder.write(bytes, to: "odd"))
    #expect(try file.tensor(named: "b").array() == [1.5, -2] as [Float])
  }

  @Test("that were mapped can be trained without changing the file")
  func mappedParameter() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("w.safetensors")
    try SafetensorsFile.write(["w": Tensor([1, 2] as [Float])], to: path)
    let before = try readBytes(path)
    let parameter = Parameter(try SafetensorsFile(path).tensor(named: "w"))
    parameter.copyElements(of: Tensor([3, 4] as [Float]))
    #expect(parameter.value.array() == [3, 4] as [Float])
    #expect(try readBytes(path) == before)
  }

  @Test("of Booleans that are neither 0 nor 1 are refused")
  func wrongBooleans() throws {
    let folder = try TemporaryFolder()
    let header = Array(#"{"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}"#.utf8)
    let bytes =
      (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header + [1, 2]
    let file = try SafetensorsFile(try folder.write(bytes, to: "bool"))
    #expect(throws: TensorError.self) { try file.tensor(named: "a") }
  }

  @Test("that do not exist are named in the error")
  func missing() throws {
    let file = try SafetensorsFile(path)
    #expect(throws: SafetensorsError(path: path, reason: .noSuchTensor("nobody"))) {
      try file.tensor(named: "nobody")
    }
  }

  @Test("of views are written in the order of their elements")
  func views() throws {
    let folder = try TemporaryFolder()
    let tensor = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3]).transposed()
    try SafetensorsFile.write(["t": tensor], to: folder.file("view"))
    #expect(
      try SafetensorsFile(folder.file("view")).tensor(named: "t").array() == [1, 4, 2, 5, 3, 6]
        as [Float])
  }
}

@Suite("Rewritten checkpoints")
struct CheckpointRewritingTests {
  @Test("have the same values in another type and other files")
  func rewrites() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("model.safetensors")
    let tensors: [String: Tensor] = [
      "w": Tensor([1.5, 2.25, -3] as [Float]), "v": Tensor([0.5] as [Double]), "i": Tensor([1, 2]),
    ]
    try SafetensorsFile.write(tensors, metadata: ["origin": "test"], to: path)
    let target = folder.file("bf16")
    var last: Progress?
    try SafetensorsCheckpoint(path).rewrite(
      to: target, as: .init(floatingPointType: .bf16, shardLimit: ByteCount(8)),
      progress: { last = $0 })
    let result = try SafetensorsCheckpoint(target)
    #expect(result.shards.count == 2 && last?.completed == last?.total)
    #expect(result.shards[0].header.metadata == ["origin": "test"])
    #expect(try result.tensor(named: "w").cast(to: .f32).array() == [1.5, 2.25, -3] as [Float])
    #expect(try result.tensor(named: "v").dtype == .bf16)
    #expect(try result.tensor(named: "i").array() == [1, 2])
    let single = folder.file("single.safetensors")
    try SafetensorsCheckpoint(target).rewrite(to: single, as: .init(floatingPointType: .f32))
    #expect(try SafetensorsFile(single).tensor(named: "w").array() == [1.5, 2.25, -3] as [Float])
  }

  @Test("refuse shapes that the new type makes too large")
  func emptyGiant() throws {
    let folder = try TemporaryFolder()
    let header = Array(
      #"{"a":{"dtype":"F16","shape":[2305843009213693952,0],"data_offsets":[0,0]}}"#.utf8)
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header
    let path = try folder.write(bytes, to: "giant.safetensors")
    let out = folder.file("out.safetensors")
    #expect(throws: SafetensorsError.self) {
      try SafetensorsCheckpoint(path).rewrite(to: out, as: .init(floatingPointType: .f64))
    }
    #expect(try folder.contents() == ["giant.safetensors"])
  }

  @Test("are refused where a number would become infinite")
  func overflow() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("w.safetensors")
    try SafetensorsFile.write(["w": Tensor([1, 1e30, .infinity] as [Float])], to: path)
    let checkpoint = try SafetensorsCheckpoint(path)
    for out in [folder.file("f16.safetensors"), folder.file("f16")] {
      #expect(throws: TensorError.castOverflow(name: "w", dtype: .f16)) {
        try checkpoint.rewrite(to: out, as: .init(floatingPointType: .f16))
      }
    }
    #expect(try folder.contents() == ["w.safetensors"])
    try checkpoint.rewrite(to: folder.file("bf16.safetensors"), as: .init(floatingPointType: .bf16))
  }

  @Test("never replace a file")
  func existing() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("w.safetensors")
    try SafetensorsFile.write(["w": Tensor([1] as [Float])], to: path)
    let before = try readBytes(path)
    #expect(throws: FileError.alreadyExists(path)) {
      try SafetensorsCheckpoint(path).rewrite(to: path, as: .init(floatingPointType: .bf16))
    }
    #expect(try readBytes(path) == before)
  }
}
