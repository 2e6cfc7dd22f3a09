import MoETensor
import MoETestSupport
import Testing

@Suite("Growing tensors")
struct GrowingTensorTests {
  @Test("hold what was appended, in order, beyond any capacity")
  func appends() {
    let growing = GrowingTensor(axis: 1)
    for start in stride(from: 0, to: 300, by: 3) {
      let part = Tensor.range(start..<start + 3).reshaped([1, 3])
      expectClose(
        growing.append(part), Tensor.range(0..<start + 3).reshaped([1, start + 3]), .exact)
    }
    #expect(growing.count == 300)
  }

  @Test("leave alone what was read before")
  func earlierValues() {
    let growing = GrowingTensor(axis: 0)
    let first = growing.append(Tensor([1, 2]))
    _ = growing.append(Tensor([3]))
    #expect(first.array() == [1, 2])
    growing.removeAll()
    _ = growing.append(Tensor([9, 9, 9]))
    #expect(first.array() == [1, 2] && growing.value.array() == [9, 9, 9])
  }
}
