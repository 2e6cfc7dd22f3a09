@testable import MoEData
import Testing

@Suite("Pixels")
struct PixelsTests {
  /// 3×2 pixels, red 0…5, green 10…15, blue 20…25.
  private let colours = Pixels(
    width: 3, height: 2, channels: 3, planes: Array(0..<6) + Array(10..<16) + Array(20..<26))

  @Test("planes and pixels hold the same bytes")
  func planes() {
    #expect(colours.bytes.prefix(6) == [0, 10, 20, 1, 11, 21])
    #expect(colours.planes == Array(0..<6) + Array(10..<16) + Array(20..<26))
  }

  @Test("a part has the pixels at its place")
  func crop() {
    let part = colours.cropped(column: 1, row: 1, width: 2, height: 1)
    #expect(part.planes == [4, 5, 14, 15, 24, 25])
  }

  @Test("smaller images are means of areas, larger ones repeat")
  func scaling() {
    let image = Pixels(width: 4, height: 2, channels: 1, bytes: [0, 2, 10, 20, 4, 6, 30, 40])
    #expect(image.scaled(width: 2, height: 1).bytes == [3, 25])
    #expect(
      Pixels(width: 2, height: 1, channels: 1, bytes: [7, 9]).scaled(width: 4, height: 2).bytes
        == [7, 7, 9, 9, 7, 7, 9, 9])
    // Three columns become two: 1½ old ones each.
    #expect(
      Pixels(width: 3, height: 1, channels: 1, bytes: [0, 30, 90]).scaled(width: 2, height: 1).bytes
        == [10, 70])
  }

  @Test("a constant image stays constant at every size", arguments: 1...9)
  func constant(side: Int) {
    let image = Pixels(width: 7, height: 5, channels: 3, shade: 201)
    #expect(
      image.centreSquare(side: side) == Pixels(width: side, height: side, channels: 3, shade: 201))
  }

  @Test("the middle square is cut from the longer side")
  func middle() {
    let image = Pixels(width: 4, height: 2, channels: 1, bytes: [0, 1, 2, 3, 4, 5, 6, 7])
    #expect(image.centreSquare(side: 2).bytes == [1, 2, 5, 6])
  }

  @Test("colour and greyscale are converted to each other")
  func channels() {
    let image = Pixels(width: 2, height: 1, channels: 3, bytes: [255, 0, 0, 9, 9, 9])
    #expect(image.converted(channels: 1).bytes == [76, 9])
    #expect(image.converted(channels: 1).converted(channels: 3).bytes == [76, 76, 76, 9, 9, 9])
  }

  @Test("a grid has gaps, and shows small images large")
  func grid() {
    let images = (1...3).map { Pixels(width: 1, height: 1, channels: 1, bytes: [UInt8($0)]) }
    let page = ContactSheet(columns: 2, gap: 1, enlargement: 2, shade: 0).page(images)
    #expect(page.width == 7 && page.height == 7)
    #expect(
      page.bytes == [
        0, 0, 0, 0, 0, 0, 0,
        0, 1, 1, 0, 2, 2, 0,
        0, 1, 1, 0, 2, 2, 0,
        0, 0, 0, 0, 0, 0, 0,
        0, 3, 3, 0, 0, 0, 0,
        0, 3, 3, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0,
      ])
  }
}
