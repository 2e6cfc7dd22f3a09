import MoECore
import MoETensor
import MoETestSupport
import Testing

/// Each test runs in a separate process, where no other code makes tensors.
@Suite("Memory")
struct MemoryTests {
  @Test("does not grow over 100,000 cycles of making, using and dropping tensors")
  func cycles() async {
    await #expect(processExitsWith: .success) {
      func cycle() throws {
        let x = Tensor([1, 2, 3] as [Float])
        let y = (x * 2 + 1).softmax(axis: 0)
        precondition(y.array(of: Float.self).count == 3)
      }
      for _ in 0..<1000 { try cycle() }
      let (live, memory) = (Engine.liveTensorCount, try privateMemory())
      for _ in 0..<100_000 { try cycle() }
      precondition(
        Engine.liveTensorCount == live, "\(Engine.liveTensorCount) live tensors, \(live) before")
      // Less than ten bytes per cycle: allocator noise, not a leak.
      let growth = try privateMemory() - memory
      precondition(growth < 1_000_000, "\(growth) bytes")
    }
  }

  @Test("does not grow over 10,000 failing calls")
  func failures() async {
    await #expect(processExitsWith: .success) {
      let (x, y) = (Tensor.zeros([200, 3]), Tensor.zeros([4, 500]))
      func fail() throws {
        do {
          _ = try Engine.call("mm", "", [x, y])
          preconditionFailure("a product of wrong shapes succeeded")
        } catch TensorError.operationFailed {}
        do {
          _ = try Engine.call("no_such_operation", "", [x])
          preconditionFailure("an unknown operation was found")
        } catch TensorError.unknownOperation {}
      }
      for _ in 0..<1000 { try fail() }
      let (live, memory) = (Engine.liveTensorCount, try privateMemory())
      for _ in 0..<10_000 { try fail() }
      precondition(Engine.liveTensorCount == live)
      let growth = try privateMemory() - memory
      precondition(growth < 1_000_000, "\(growth) bytes")
      // The engine continues to work normally.
      let product = try Engine.call("mm", "", [x, x.transposed()])
      precondition(product.shape == [200, 200])
    }
  }

  @Test("does not grow over gradients, recomputed blocks and their failures")
  func gradients() async {
    await #expect(processExitsWith: .success) {
      struct Refusal: Error {}
      let weight = Parameter(Tensor.ones([8, 8]))
      func step(failing: Bool) {
        var calls = 0
        _ = try? valueAndGradients(
          of: {
            try recomputed(weight.value, parameters: [weight]) { input in
              calls += 1
              if failing, calls == 2 { throw Refusal() }
              return input.matmul(weight.value).exp()
            }.sum()
          }, for: [weight])
      }
      for index in 0..<500 { step(failing: index.isMultiple(of: 2)) }
      let (live, memory) = (Engine.liveTensorCount, try privateMemory())
      for index in 0..<5000 { step(failing: index.isMultiple(of: 2)) }
      precondition(Engine.liveTensorCount == live)
      let growth = try privateMemory() - memory
      precondition(growth < 1_000_000, "\(growth) bytes")
    }
  }

  @Test("of recomputed blocks holds only their inputs and outputs")
  func recomputation() async {
    // Forty activations of 4 MB each; every measurement has a separate heap.
    await #expect(processExitsWith: .success) {
      let growth = try forwardGrowth { try recomputed($0, deepBlock) }
      precondition(growth < 80_000_000, "\(growth) bytes")
    }
    await #expect(processExitsWith: .success) {
      let growth = try forwardGrowth { deepBlock($0) }
      precondition(growth > 140_000_000, "\(growth) bytes")
    }
  }

  @Test("of gradients that come one by one is that of only a few")
  func eachGradient() async {
    // Sixteen weights of 4 MB.
    await #expect(processExitsWith: .success) {
      let (weights, loss) = chain()
      let before = try privateMemory()
      var highest = 0
      _ = try forEachGradient(of: loss, for: weights) { index, gradient in
        // In place: the weight is not shared.
        weights[index].copyElements(of: gradient)
        highest = max(highest, try privateMemory() - before)
      }
      // Three gradients exist at a time; three more may be kept for reuse by another thread.
      precondition(highest < 32_000_000, "\(highest) bytes")
    }
    await #expect(processExitsWith: .success) {
      let (weights, loss) = chain()
      let before = try privateMemory()
      let result = try valueAndGradients(of: loss, for: weights)
      let growth = try privateMemory() - before
      precondition(result.gradients.count == 16 && growth > 60_000_000, "\(growth) bytes")
    }
  }

  @Test("of a mapped file is not used until the tensor is")
  func mapped() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let path = folder.file("large.safetensors")
      try SafetensorsFile.write(["w": Tensor.zeros([8 << 20])], to: path)
      let before = try privateMemory()
      let tensor = try SafetensorsFile(path).tensor(named: "w")
      precondition(tensor.shape == [8 << 20])
      let growth = try privateMemory() - before
      precondition(growth < 1_000_000, "\(growth) bytes")
    }
  }
}

/// Sixteen matrices of 4 MB, and a loss that goes through all.
private func chain() -> (weights: [Parameter], loss: () throws -> Tensor) {
  let weights = (0..<16).map { _ in Parameter(Tensor.ones([1024, 1024])) }
  let loss = { weights.reduce(Tensor.ones([1, 1024])) { $0.linear($1.value).tanh() }.sum() }
  // The engine sets itself up at its first operations.
  _ = try? valueAndGradients(of: loss, for: weights)
  return (weights, loss)
}

private func deepBlock(_ x: Tensor) -> Tensor {
  (0..<40).reduce(x) { y, _ in (y * 1.01).sin() }
}

/// Private memory that a recorded forward pass over a tensor of 4 MB adds, in bytes.
private func forwardGrowth(_ forward: (Tensor) throws -> Tensor) throws -> Int {
  func growth(_ x: Tensor) throws -> Int {
    var growth = 0
    _ = try valueAndGradients(
      of: {
        let before = try privateMemory()
        let result = try forward(x)
        giveBackFreedMemory()
        growth = try privateMemory() - before
        return result.sum()
      }, for: [x])
    return growth
  }
  // The engine sets itself up at its first operations.
  _ = try growth(Tensor.ones([1]))
  return try growth(Tensor.ones([1 << 20]))
}
