import Foundation
import MoECore
import Testing

@Suite("Seeded numbers")
struct SeededGeneratorTests {
  // Made by Tests/Fixtures/make/random_numbers.py.
  @Test(
    "are those of the published algorithm",
    arguments: [
      (
        0,
        [
          0x99EC_5F36_CB75_F2B4, 0xBF6E_1F78_4956_452A, 0x1A5F_849D_4933_E6E0,
          0x6AA5_94F1_262D_2D2C,
        ]
      ),
      (
        1,
        [
          0xB3F2_AF6D_0FC7_10C5, 0x853B_5596_4736_4CEA, 0x92F8_9756_082A_4514,
          0x642E_1C7B_C266_A3A7,
        ]
      ),
      (
        UInt64.max,
        [
          0x8F55_20D5_2A7E_AD08, 0xC476_A018_CAA1_802D, 0x81DE_31C0_D260_469E,
          0xBF65_8D7E_065F_3C2F,
        ]
      ),
    ] as [(UInt64, [UInt64])])
  func matchesReference(seed: UInt64, expected: [UInt64]) {
    var generator = SeededGenerator(seed: seed)
    #expect((0..<4).map { _ in generator.next() } == expected)
  }

  @Test("continue from an encoded state, and from nothing else")
  func codable() throws {
    var generator = SeededGenerator(seed: 3)
    _ = generator.next()
    let encoded = try JSONEncoder().encode(generator)
    var copy = try JSONDecoder().decode(SeededGenerator.self, from: encoded)
    #expect(copy.next() == generator.next())
    for text in ["[]", "[1]", "[0,0,0,0]", "[1,2,3,4,5]", "{}", "[-1,2,3,4]"] {
      #expect(throws: (any Error).self) {
        try JSONDecoder().decode(SeededGenerator.self, from: Data(text.utf8))
      }
    }
  }
}
