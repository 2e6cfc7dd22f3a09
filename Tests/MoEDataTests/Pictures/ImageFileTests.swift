import Foundation
import MoECore
@testable import MoEData
import MoETestSupport
import SystemPackage
import Testing

@Suite("Image files")
struct ImageFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static func noise(_ width: Int, _ height: Int, _ channels: Int) -> Pixels {
    var generator = SeededGenerator(seed: 3)
    return Pixels(
      width: width, height: height, channels: channels,
      bytes: (0..<width * height * channels).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      })
  }

  @Test(
    "PNG files keep every pixel",
    arguments: [(1, 1, 1), (1, 1, 3), (7, 5, 1), (8, 8, 3), (130, 3, 3)])
  func roundTrip(width: Int, height: Int, channels: Int) throws {
    let image = Self.noise(width, height, channels)
    let path = folder.file("image.png")
    try ImageFile.write(image, to: path)
    #expect(try ImageFile.read(path) == image)
    #expect(ImageFile.png(image) == ImageFile.png(image))
  }

  @Test("a file of another library is read as that library reads it")
  func foreign() throws {
    // Made by Tests/Fixtures/make/images.py: the same 5×4 picture as palette, 16 bits, transparent, and JPEG.
    let expected = try ImageFile.read(Fixtures.path("images/rgb.png"))
    #expect(expected.width == 5 && expected.height == 4 && expected.channels == 3)
    #expect(expected.bytes.prefix(6) == [0, 0, 0, 51, 0, 10])
    #expect(try ImageFile.read(Fixtures.path("images/palette.png")) == expected)
    #expect(try ImageFile.read(Fixtures.path("images/deep.png"), channels: 1).channels == 1)
    let clear = try ImageFile.read(Fixtures.path("images/clear.png"))
    #expect(clear.bytes.allSatisfy { $0 == 255 })
    let jpeg = try ImageFile.read(Fixtures.path("images/smooth.jpg"))
    #expect(jpeg.width == 16 && jpeg.height == 8 && jpeg.channels == 3)
    let largest = zip(jpeg.bytes, try ImageFile.read(Fixtures.path("images/smooth.png")).bytes)
      .map { abs(Int($0) - Int($1)) }.max()
    #expect(try #require(largest) <= 1)
    #expect(try ImageFile.read(Fixtures.path("images/grey.jpg")).channels == 1)
  }

  @Test("what is not an image, or only half of one, is rejected by name")
  func damage() throws {
    #expect(throws: ImageError.unknownFormat(folder.file("x.png"))) {
      try ImageFile.read(folder.write(Array("hello".utf8), to: "x.png"))
    }
    for name in ["images/rgb.png", "images/smooth.jpg"] {
      let whole = try [UInt8](Data(contentsOf: URL(filePath: Fixtures.path(name).string)))
      for count in stride(from: 3, to: whole.count - 24, by: 7) {
        let path = try folder.write(Array(whole.prefix(count)), to: "half")
        #expect(throws: ImageError.self, "\(name) cut at \(count)") { try ImageFile.read(path) }
      }
    }
    #expect {
      _ = try ImageFile.read(Fixtures.path("images/print.jpg"))
    } throws: { "\($0)".contains("CMYK") }
  }

  @Test(
    "a wrong checksum of any chunk is refused, of a critical one as of one that is not needed",
    arguments: ["IHDR", "IDAT", "eXIf", "gAMA", "tRNS", "tEXt"])
  func checksums(type: String) throws {
    let file = RawPNG(
      width: 1, bits: 8, colour: .grey, rows: [[7]],
      chunks: [("gAMA", RawPNG.word(45_455)), ("tRNS", [0, 7])],
      lateChunks: [
        ("eXIf", RawPNG.exif(6, isBigEndian: true)), ("tEXt", Array("Title\0a".utf8)),
      ])
    var bytes = file.bytes
    _ = try ImageFile.read(folder.write(bytes, to: "whole.png"))
    let place = try #require(
      bytes.indices.first { bytes[$0...].starts(with: type.utf8) })
    let size = bytes[place - 4..<place].reduce(0) { $0 << 8 | Int($1) }
    // The last byte of the chunk's contents.
    bytes[place + 3 + size] ^= 1
    let path = try folder.write(bytes, to: "damaged.png")
    let error = #expect(throws: ImageError.self) { try ImageFile.read(path) }
    if type.first?.isLowercase == true {
      #expect(error.map { "\($0)" }?.contains("checksum of its chunk '\(type)'") == true)
    }
  }

  @Test("mutated files end in an image or an error, never in anything else")
  func mutants() throws {
    var generator = SeededGenerator(seed: 9)
    for name in ["images/palette.png", "images/smooth.jpg"] {
      let whole = try [UInt8](Data(contentsOf: URL(filePath: Fixtures.path(name).string)))
      for _ in 0..<300 {
        var bytes = whole
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
          bytes[Int.random(in: 0..<bytes.count, using: &generator)] =
            UInt8.random(in: 0...255, using: &generator)
        }
        _ = try? ImageFile.read(folder.write(bytes, to: "mutant"))
      }
    }
  }

  @Test("absurd sizes are rejected before memory is allocated")
  func enormous() throws {
    var bytes = ImageFile.png(Pixels(width: 1, height: 1, channels: 1, shade: 0))
    bytes.replaceSubrange(16..<24, with: [0, 1, 0, 0, 0, 1, 0, 0])
    // The checksum of the header chunk.
    let sum = RawPNG.checksum(bytes[12..<29])
    bytes.replaceSubrange(
      29..<33, with: [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: sum >> $0) })
    let path = try folder.write(bytes, to: "huge.png")
    #expect(throws: ImageError.tooLarge(path, width: 65536, height: 65536)) {
      try ImageFile.read(path)
    }
  }
}
