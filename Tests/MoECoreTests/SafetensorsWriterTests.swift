import MoECore
import MoETestSupport
import Testing

@Suite("Writing safetensors")
struct SafetensorsWriterTests {
  @Test("escapes names and keeps tensors aligned")
  func escapes() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("names.safetensors")
    let names = ["quote \" backslash \\", "line\nbreak \u{1}", "日本語 🦊", ""]
    let items = names.enumerated().map { index, name in
      SafetensorsItem(name: name, dtype: index == 0 ? .u8 : .f64, shape: [1])
    }
    try SafetensorsWriter.write(items, metadata: ["key\t": "value\u{7F}"], to: path) { item in
      [UInt8](repeating: 0, count: item.byteCount)
    }
    let file = try SafetensorsFile(path)
    #expect(Set(file.header.entries.map(\.name)) == Set(names))
    #expect(file.header.metadata == ["key\t": "value\u{7F}"])
    for entry in file.header.entries {
      #expect(file.fileRange(of: entry).lowerBound.isMultiple(of: entry.dtype.byteSize))
    }
  }

  @Test("ends the program when a tensor has a different number of bytes than announced")
  func wrongCount() async {
    await #expect(processExitsWith: .failure) {
      let folder = try TemporaryFolder()
      let item = SafetensorsItem(name: "a", dtype: .f32, shape: [2])
      try SafetensorsWriter.write([item], to: folder.file("x")) { _ in
        [UInt8](repeating: 0, count: 7)
      }
    }
  }
}
