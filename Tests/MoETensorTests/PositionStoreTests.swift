import MoECore
import MoETensor
import MoETestSupport
import Testing

@Suite("Stores of positions")
struct PositionStoreTests {
  private let source = RandomSource(seed: 1)

  @Test(
    "hold all rows, head by head, however many come at once", arguments: [DType.f32, .bf16, .f64])
  func appending(dtype: DType) {
    let rows = source.normal([200, 3, 5]).cast(to: dtype)
    let store = PositionStore()
    #expect(store.count == 0 && store.elements == nil)
    var start = 0
    for count in [1, 62, 1, 1, 100, 35] {
      store.append(rows, start..<start + count)
      start += count
      #expect(store.count == start)
      let found = store.elements?.slice(axis: 1, 0..<start)
      let expected = rows[0..<start].transposed(0, 1).cast(to: .f32)
      #expect(found?.cast(to: .f32).array(of: Float.self) == expected.array(of: Float.self))
    }
  }

  @Test("take rows in other memory layouts, and some of the rows of several sequences")
  func layouts() {
    let rows = source.normal([3, 8, 4]).transposed(0, 1)  // [8, 3, 4]
    let store = PositionStore()
    store.append(rows, 2..<5)
    store.append(rows.contiguous(), 7..<8)
    let expected = Tensor.concatenated([rows[2..<5], rows[7..<8]], axis: 0).transposed(0, 1)
    let found = store.elements?.slice(axis: 1, 0..<4)
    #expect(found?.array(of: Float.self) == expected.array(of: Float.self))
  }
}
