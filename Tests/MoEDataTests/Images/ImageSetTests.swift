import Foundation
import MoECore
@testable import MoEData
import MoETestSupport
import SystemPackage
import Testing

@Suite("Sets of images")
struct ImageSetTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func picture(_ name: String, _ width: Int, _ height: Int, shade: UInt8) throws {
    let path = folder.file(name)
    try path.removingLastComponent().createFolders()
    try ImageFile.write(Pixels(width: width, height: height, channels: 3, shade: shade), to: path)
  }

  @Test("folders are classes, in the order of their names")
  func folders() throws {
    try picture("dog/b.png", 4, 4, shade: 2)
    try picture("dog/a.PNG", 4, 4, shade: 1)
    try picture("cat/1.png", 4, 4, shade: 9)
    _ = try folder.write([1], to: "dog/notes.txt")
    _ = try folder.write([1], to: "readme.txt")
    let set = try ImageFolder.read(folder.path)
    #expect(set.classes == ["cat", "dog"] && set.labels == [0, 1, 1])
    #expect((0..<3).map { set[$0].bytes[0] } == [9, 1, 2])
    #expect(set.placesByClass == [[0], [1, 2]])
    #expect(set.selecting([2, 0]).labels == [1, 0])
    #expect(
      try ImageFolder.read(folder.path, side: 2, channels: 1, limit: 1).bytes == [
        9, 9, 9, 9, 1, 1, 1, 1,
      ])
  }

  @Test("grey and coloured images in one set are refused, unless all are to become the same")
  func channels() throws {
    try picture("a/2.png", 4, 4, shade: 10)
    for (name, problem) in [("1", "a/2.png has 3 channels"), ("3", "a/3.png has 1 channel,")] {
      let grey = folder.file("a").appending("\(name).png")
      try ImageFile.write(Pixels(width: 4, height: 4, channels: 1, shade: 90), to: grey)
      let error = #expect(throws: ImageError.self) { try ImageFolder.read(folder.path) }
      let text = error?.description ?? ""
      #expect(text.contains(problem) && text.contains("set data.channels"), "\(text)")
      for channels in [1, 3] {
        #expect(try ImageFolder.read(folder.path, channels: channels).channels == channels)
      }
      try FileManager.default.removeItem(atPath: grey.string)
    }
  }

  @Test("classes find their numbers in another list by name")
  func otherNumbers() throws {
    let set = LabelledImages(
      width: 1, height: 1, channels: 1, bytes: [7, 8, 9], labels: [0, 1, 0],
      classes: ["dog", "emu"])
    let read = try set.relabelled(as: ["cat", "dog", "emu"], from: "pictures")
    #expect(read.labels == [1, 2, 1] && read.classes == ["cat", "dog", "emu"])
    #expect(read.bytes == [7, 8, 9] && read.placesByClass == [[], [0, 2], [1]])
    let error = #expect(throws: ImageError.self) {
      try set.relabelled(as: ["cat", "dog"], from: "pictures")
    }
    #expect(
      error?.description.contains("pictures has the classes dog, emu; known are cat, dog;") == true)
  }

  @Test("folders that cannot be used are refused by name")
  func folderErrors() throws {
    func message(_ body: () throws -> LabelledImages) -> String {
      do { return "read \(try body().count)" } catch { return "\(error)" }
    }
    #expect(message { try ImageFolder.read("/nowhere") }.contains("no such folder"))
    #expect(
      message { try ImageFolder.read(folder.path) }.contains("a folder of images for every class"))
    try picture("a/1.png", 4, 4, shade: 0)
    try picture("b/1.png", 4, 5, shade: 0)
    let mixed = message { try ImageFolder.read(folder.path) }
    #expect(mixed.contains("b/1.png is 4×5, the images before it are 4×4; set data.size"))
    try folder.file("c").createFolders()
    #expect(
      message { try ImageFolder.read(folder.path) }.contains("c: this class has no PNG or JPEG"))
  }

  @Test("IDX files keep images and labels")
  func idx() throws {
    let set = LabelledImages(
      width: 3, height: 2, channels: 1, bytes: Array(0..<12), labels: [1, 0],
      classes: ["zero", "one"])
    let (images, labels) = IDXFile.bytes(of: set)
    #expect(images.prefix(16) == [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3])
    let paths = try (folder.write(images, to: "i"), folder.write(labels, to: "l"))
    let read = try IDXFile.read(images: paths.0, labels: paths.1)
    #expect(read.bytes == set.bytes && read.labels == set.labels && read.classes == ["0", "1"])
    #expect(throws: ImageError.self) {
      try IDXFile.read(images: paths.0, labels: paths.1, classes: ["only"])
    }
  }

  @Test(
    "broken IDX files are refused",
    arguments: [
      ("short", "not an IDX file"), ("axes", "not an IDX file"), ("size", "its header says 2×2×4"),
      ("gzip", "gunzip"), ("huge", "its header says"), ("labels", "1 label, but"),
    ])
  func brokenIDX(kind: String, expected: String) throws {
    let set = LabelledImages(
      width: 3, height: 2, channels: 1, bytes: Array(0..<12), labels: [1, 0], classes: ["0", "1"])
    var (images, labels) = IDXFile.bytes(of: set)
    switch kind {
    case "short": images = Array(images.prefix(10))
    case "axes": images[3] = 4
    case "size": images[15] = 4
    case "gzip": images.replaceSubrange(0..<2, with: [0x1F, 0x8B])
    case "huge": images.replaceSubrange(4..<16, with: [UInt8](repeating: 255, count: 12))
    default: labels = [0, 0, 8, 1, 0, 0, 0, 1, 0]
    }
    let paths = try (folder.write(images, to: "i"), folder.write(labels, to: "l"))
    #expect {
      _ = try IDXFile.read(images: paths.0, labels: paths.1)
    } throws: { "\($0)".contains(expected) }
  }

  @Test("files of gigabytes are refused before they are read")
  func limits() throws {
    let path = try folder.sparseFile(bytes: 20_000_000_000, at: "zeros.png")
    let error = FileError.tooLarge(path, bytes: 20_000_000_000, limit: FileLimit.text)
    #expect(throws: error) { try IDXFile.read(images: path, labels: path) }
    #expect(throws: error) { try ImageFile.read(path) }
  }

  @Test("CIFAR's binary files hold a label and planes")
  func cifar() throws {
    let image = (0..<3072).map { UInt8(truncatingIfNeeded: $0 / 1024 * 50 + $0 % 7) }
    let path = try folder.write([3] + image + [9] + image.reversed(), to: "batch.bin")
    let set = try CIFARFile.read([path, path])
    #expect(
      set.labels == [3, 9, 3, 9] && set[0].planes == image && set[3].planes == image.reversed())
    #expect(throws: ImageError.self) {
      try CIFARFile.read([folder.write([3] + image.dropLast(), to: "short.bin")])
    }
    #expect(throws: ImageError.self) {
      try CIFARFile.read([folder.write([10] + image, to: "label.bin")])
    }
  }

  private static let real = "images/cifar10/cifar10_lossless_test1000.bin"

  @Test(
    "a real file of CIFAR-10", .enabled(if: SharedData.exists(real), SharedData.missing(real)))
  func realCIFAR() throws {
    let set = try CIFARFile.read([SharedData.path(Self.real)])
    #expect(set.count == 1000 && Set(set.labels).count == 10)
  }

  @Test("the bundled digits")
  func digits() throws {
    let folder = Fixtures.package.appending("Data/digits")
    let set = try IDXFile.read(
      images: folder.appending("images-idx3-ubyte"), labels: folder.appending("labels-idx1-ubyte"))
    #expect(set.count == 1797 && set.width == 8 && set.height == 8 && set.classes.count == 10)
    #expect(set.placesByClass.allSatisfy { $0.count > 170 })
  }
}
