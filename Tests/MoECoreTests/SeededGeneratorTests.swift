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
}
