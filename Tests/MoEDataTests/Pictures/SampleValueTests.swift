import Foundation
import MoECore
@testable import MoEData
import MoETestSupport
import SystemPackage
import Testing

/// A file and the values that a person computes for it.
struct SampleCase: CustomTestStringConvertible, Sendable {
  var testDescription: String
  var bits: UInt8
  var colour: RawPNG.Colour
  var width: Int
  var row: [UInt8]
  var chunks: [(type: String, contents: [UInt8])]
  var channels: Int
  var expected: [UInt8]

  init(
    _ name: String, _ bits: UInt8, _ colour: RawPNG.Colour, width: Int, _ row: [UInt8],
    _ chunks: [(String, [UInt8])] = [], channels: Int, _ expected: [UInt8]
  ) {
    (testDescription, self.bits, self.colour, self.width, self.row) = (
      name, bits, colour, width, row
    )
    (self.chunks, self.channels, self.expected) = (chunks, channels, expected)
  }

  var bytes: [UInt8] {
    RawPNG(width: width, bits: bits, colour: colour, rows: [row], chunks: chunks).bytes
  }

  private static let colours: [UInt8] = [10, 20, 30, 200, 100, 0, 255, 255, 255, 1, 2, 3]

  /// Bit depth × colour type × transparency: what is stored is what is read, on white.
  static let forms: [SampleCase] = [
    .init("grey 1", 1, .grey, width: 3, [0b1010_0000], channels: 1, [255, 0, 255]),
    .init("grey 2", 2, .grey, width: 4, [0b0001_1011], channels: 1, [0, 85, 170, 255]),
    .init("grey 4", 4, .grey, width: 4, [0x0F, 0x8A], channels: 1, [0, 255, 136, 170]),
    .init("grey 8", 8, .grey, width: 4, [0, 100, 128, 255], channels: 1, [0, 100, 128, 255]),
    // value / 257: 100 · 257 = 25700; 25828 is 100.498 and 25829 is 100.502.
    .init(
      "grey 16", 16, .grey, width: 5, [0, 0, 0x64, 0x64, 0x64, 0xE4, 0x64, 0xE5, 255, 255],
      channels: 1, [0, 100, 100, 101, 255]),
    .init(
      "grey and opacity 8", 8, .greyAlpha, width: 3, [30, 255, 30, 128, 30, 0], channels: 1,
      [30, 142, 255]),
    .init(
      "grey and opacity 16", 16, .greyAlpha, width: 2, [30, 30, 255, 255, 30, 30, 128, 128],
      channels: 1, [30, 142]),
    .init(
      "colour 8", 8, .colour, width: 2, [1, 2, 3, 200, 100, 0], channels: 3, [1, 2, 3, 200, 100, 0]),
    .init(
      "colour 16", 16, .colour, width: 1, [40, 40, 80, 80, 120, 120], channels: 3, [40, 80, 120]),
    .init(
      "colour and opacity 8", 8, .colourAlpha, width: 2, [200, 0, 0, 128, 9, 9, 9, 0], channels: 3,
      [227, 127, 127, 255, 255, 255]),
    .init(
      "colour and opacity 16", 16, .colourAlpha, width: 1, [200, 200, 0, 0, 0, 0, 128, 128],
      channels: 3, [227, 127, 127]),
    .init(
      "palette 1", 1, .palette, width: 2, [0b0100_0000], [("PLTE", Array(colours.prefix(6)))],
      channels: 3, [10, 20, 30, 200, 100, 0]),
    .init(
      "palette 2", 2, .palette, width: 2, [0b1101_0000], [("PLTE", colours)], channels: 3,
      [1, 2, 3, 200, 100, 0]),
    .init(
      "palette 4", 4, .palette, width: 2, [0x13], [("PLTE", colours)], channels: 3,
      [200, 100, 0, 1, 2, 3]),
    .init(
      "palette 8", 8, .palette, width: 2, [3, 0], [("PLTE", colours)], channels: 3,
      [1, 2, 3, 10, 20, 30]),
    .init(
      "palette with opacities", 8, .palette, width: 3, [0, 1, 2],
      [("PLTE", colours), ("tRNS", [0, 128])], channels: 3,
      [255, 255, 255, 227, 177, 127, 255, 255, 255]),
    .init(
      "grey with a transparent value", 8, .grey, width: 3, [9, 10, 11], [("tRNS", [0, 10])],
      channels: 1, [9, 255, 11]),
    .init(
      "grey 2 with a transparent value", 2, .grey, width: 4, [0b0001_1011], [("tRNS", [0, 1])],
      channels: 1, [0, 255, 170, 255]),
    // Only the whole 16 bits make a pixel transparent.
    .init(
      "grey 16 with a transparent value", 16, .grey, width: 2, [10, 10, 10, 11],
      [("tRNS", [10, 10])], channels: 1, [255, 10]),
    .init(
      "colour with a transparent value", 8, .colour, width: 2, [1, 2, 3, 1, 2, 4],
      [("tRNS", [0, 1, 0, 2, 0, 3])], channels: 3, [255, 255, 255, 1, 2, 4]),
    .init(
      "colour 16 with a transparent value", 16, .colour, width: 1, [1, 1, 2, 2, 3, 3],
      [("tRNS", [1, 1, 2, 2, 3, 3])], channels: 3, [255, 255, 255]),
  ]

  /// Chunks that say something about the colour space, or are damaged, or concern nobody.
  static let chunks: [(name: String, type: String, contents: [UInt8])] = [
    ("linear gamma", "gAMA", RawPNG.word(100_000)), ("usual gamma", "gAMA", RawPNG.word(45_455)),
    ("gamma of old Macs", "gAMA", RawPNG.word(55_556)), ("sRGB", "sRGB", [0]),
    (
      "primaries", "cHRM",
      [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000].flatMap(RawPNG.word)
    ),
    ("a damaged profile", "iCCP", Array("profile".utf8) + [0, 0, 1, 2, 3]),
    ("a background", "bKGD", [0, 0, 0, 0, 0, 0]), ("significant bits", "sBIT", [5, 5, 5]),
    ("a time", "tIME", [1]), ("a text", "tEXt", Array("a=b".utf8)),
  ]

  /// Conversions to another number of channels.
  static let conversions: [SampleCase] = [
    // BT.601: 0.299, 0.587, 0.114.
    .init(
      "colours to grey", 8, .colour, width: 4, [200, 0, 0, 0, 200, 0, 0, 0, 200, 40, 80, 120],
      channels: 1, [60, 117, 23, 73]),
    .init(
      "colours of 16 bits to grey", 16, .colour, width: 1, [200, 200, 0, 0, 0, 0], channels: 1, [60]
    ),
    // Blended first: 227, 127, 127.
    .init(
      "clear red to grey", 8, .colourAlpha, width: 1, [200, 0, 0, 128], channels: 1, [157]),
    .init(
      "a palette to grey", 8, .palette, width: 1, [0], [("PLTE", [200, 0, 0])], channels: 1, [60]),
    .init("grey to colours", 8, .grey, width: 2, [7, 9], channels: 3, [7, 7, 7, 9, 9, 9]),
    .init(
      "grey of 16 bits to colours", 16, .grey, width: 1, [100, 100], channels: 3, [100, 100, 100]),
    .init(
      "clear grey to colours", 8, .greyAlpha, width: 1, [30, 128], channels: 3, [142, 142, 142]),
  ]
}

@Suite("From a file's samples to values")
struct SampleValueTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func read(_ bytes: [UInt8], channels: Int? = nil) throws -> Pixels {
    try ImageFile.read(folder.write(bytes, to: "image"), channels: channels)
  }

  @Test("every form of PNG gives the values that it stores", arguments: SampleCase.forms)
  func forms(_ form: SampleCase) throws {
    let image = try read(form.bytes)
    #expect(image.channels == form.channels)
    #expect(image.bytes == form.expected)
  }

  @Test("chunks about the colour space change nothing", arguments: SampleCase.forms)
  func colourSpaces(_ form: SampleCase) throws {
    for (name, type, contents) in SampleCase.chunks {
      var form = form
      form.chunks.insert((type, contents), at: 0)
      #expect(try read(form.bytes).bytes == form.expected, "\(name)")
    }
  }

  @Test("channels are converted in the values of the file", arguments: SampleCase.conversions)
  func conversions(_ form: SampleCase) throws {
    #expect(try read(form.bytes, channels: form.channels).bytes == form.expected)
  }

  @Test("a red JPEG file and a red PNG file are equally grey")
  func redJPEG() throws {
    let colours = try ImageFile.read(Fixtures.path("images/smooth.jpg"))
    let grey = try ImageFile.read(Fixtures.path("images/smooth.jpg"), channels: 1)
    #expect(grey == colours.converted(channels: 1))
    let same = try read(ImageFile.png(colours), channels: 1)
    #expect(same == grey)
    let stored = try ImageFile.read(Fixtures.path("images/grey.jpg"))
    let wide = try ImageFile.read(Fixtures.path("images/grey.jpg"), channels: 3)
    #expect(wide == stored.converted(channels: 3))
  }
}

@Suite("EXIF orientations")
struct ImageOrientationTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// 1 2 3 above 4 5 6, as each orientation shows it.
  private static let shown: [(width: Int, values: [UInt8])] = [
    (3, [1, 2, 3, 4, 5, 6]), (3, [3, 2, 1, 6, 5, 4]), (3, [6, 5, 4, 3, 2, 1]),
    (3, [4, 5, 6, 1, 2, 3]), (2, [1, 4, 2, 5, 3, 6]), (2, [4, 1, 5, 2, 6, 3]),
    (2, [6, 3, 5, 2, 4, 1]), (2, [3, 6, 2, 5, 1, 4]),
  ]

  private func png(_ exif: [UInt8], late: Bool = false) throws -> Pixels {
    let chunks = [(type: "eXIf", contents: exif)]
    let file = RawPNG(
      width: 3, bits: 8, colour: .grey, rows: [[1, 2, 3], [4, 5, 6]], chunks: late ? [] : chunks,
      lateChunks: late ? chunks : [])
    return try ImageFile.read(folder.write(file.bytes, to: "image.png"))
  }

  @Test("all eight are applied to PNG files", arguments: 1...8)
  func png(number: Int) throws {
    let expected = Self.shown[number - 1]
    for isBigEndian in [false, true] {
      let exif = RawPNG.exif(UInt8(number), isBigEndian: isBigEndian)
      for image in try [png(exif), png(exif, late: true), png(Array("Exif\0\0".utf8) + exif)] {
        #expect(image.width == expected.width)
        #expect(image.bytes == expected.values)
      }
    }
  }

  @Test("all eight are applied to JPEG files", arguments: 1...8)
  func jpeg(number: Int) throws {
    let path = Fixtures.path("images/smooth.jpg")
    let stored = try ImageFile.read(path)
    let exif = Array("Exif\0\0".utf8) + RawPNG.exif(UInt8(number), isBigEndian: number % 2 == 0)
    var bytes = try MappedFile(path).copied()
    // After another segment of the same kind, as for XMP, and repeated bytes 0xFF.
    let other = Array("http://ns.adobe.com/xap/1.0/\0".utf8)
    bytes.insert(
      contentsOf: [0xFF, 0xE1, 0, UInt8(other.count + 2)] + other
        + [0xFF, 0xFF, 0xE1, 0, UInt8(exif.count + 2)] + exif, at: 2)
    let image = try ImageFile.read(folder.write(bytes, to: "image.jpg"))
    let orientation = try #require(ImageOrientation(rawValue: number))
    #expect(image == stored.oriented(orientation))
    #expect((image == stored) == (number == 1))
    #expect(image.width == (number < 5 ? stored.width : stored.height))
  }

  @Test("damaged or unknown orientations leave the picture as it is stored")
  func damage() throws {
    let whole = RawPNG.exif(6, isBigEndian: true)
    for exif in (0..<20).map({ Array(whole.prefix($0)) })
      + [RawPNG.exif(0, isBigEndian: true), RawPNG.exif(9, isBigEndian: false)]
    {
      #expect(try png(exif).bytes == [1, 2, 3, 4, 5, 6], "\(exif)")
    }
    var generator = SeededGenerator(seed: 4)
    for _ in 0..<200 {
      var exif = whole
      exif[Int.random(in: 0..<exif.count, using: &generator)] =
        UInt8.random(in: 0...255, using: &generator)
      _ = try png(exif)
    }
  }
}
