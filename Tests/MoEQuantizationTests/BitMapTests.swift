import MoECore
import MoETensor
import Testing

@testable import MoEQuantization

@Suite("Bit maps")
struct BitMapTests {
  @Test("are refused with the word that is wrong")
  func refused() {
    for (text, part) in [
      ("7", "'7'"), ("", "''"), ("4,4", "not two"), ("expert=4", "'expert'"),
      ("experts=4g48", "4g48"),
      ("experts=4,experts=3", "has two"), ("norms=4", "'norms'"), ("4x", "'4x'"), ("4g", "'4g'"),
    ] {
      let error = #expect(throws: SettingError.self) { try BitMap(parsing: text) }
      #expect("\(error.map { "\($0)" } ?? "")".contains(part), "\(text)")
    }
  }

  @Test("mean the same in words and short words")
  func words() throws {
    #expect(try BitMap(parsing: "4").description == BitMap(BitMap.Choice(bits: 4)).description)
    let map = try BitMap(parsing: "attention=6,experts=2g128s")
    #expect(
      map.description
        == "embedding=8g64,attention=6g64,router=16,experts=2g128s,shared=8g64,dense=8g64,head=8g64"
    )
  }
}
