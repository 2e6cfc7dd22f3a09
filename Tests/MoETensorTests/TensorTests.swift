import MoECore
import MoETensor
import MoETestSupport
import Testing

@Suite("Tensors")
struct TensorTests {
  @Test("hold the elements that they were made from")
  func roundTrip() {
    let tensor = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
    #expect(tensor.shape == [2, 3])
    #expect(tensor.rank == 2 && tensor.count == 6 && tensor.size(-1) == 3)
    #expect(tensor.dtype == .f32 && tensor.device == .cpu)
    #expect(tensor.byteCount == ByteCount(24))
    #expect(tensor.array() == [1, 2, 3, 4, 5, 6] as [Float])
    #expect(Tensor([true, false]).array() == [true, false])
    #expect(Tensor(7).item() == 7)
    #expect(Tensor([] as [Double], shape: [0, 3]).array() == [] as [Double])
  }

  @Test("of every Swift type read back the same")
  func everyScalar() {
    func check<Element: TensorScalar & Equatable>(_ elements: [Element]) {
      let tensor = Tensor(elements)
      #expect(tensor.dtype == Element.dtype)
      #expect(tensor.array(of: Element.self) == elements)
    }
    check([true, false])
    check([UInt8.max, 0])
    check([Int8.min, Int8.max])
    check([UInt16.max])
    check([Int16.min])
    check([UInt32.max])
    check([Int32.min])
    check([UInt64.max])
    check([Int64.min])
    check([Int.max])
    check([Float.greatestFiniteMagnitude, -0.0])
    check([Double.pi])
    check([BFloat16(1.5), BFloat16(-3)])
    #if !(os(macOS) && arch(x86_64))
    check([Float16(0.1), .infinity])
    #endif
  }

  @Test("are made from spans and read as spans")
  func spans() {
    let numbers: [Float] = [1, 2, 3, 4]
    let tensor = Tensor(numbers.span, shape: [2, 2])
    let transposed = tensor.transposed()
    let read = transposed.withSpan(of: Float.self) { span in
      span.indices.map { span[$0] }
    }
    #expect(read == [1, 3, 2, 4])
    #expect(tensor.withBytes { $0.byteCount } == 16)
  }

  @Test("with constant elements hold the named values")
  func factories() {
    #expect(Tensor.zeros([2]).array() == [0, 0] as [Float])
    #expect(Tensor.ones([2], dtype: .i32).array() == [1, 1] as [Int32])
    #expect(Tensor.full(2.5, [1], dtype: .f64).array() == [2.5])
    #expect(Tensor.range(2..<5).array() == [2, 3, 4])
    #expect(Tensor.identity(2).array() == [1, 0, 0, 1] as [Float])
  }

  @Test("keep their elements when others made from them change")
  func valueSemantics() {
    let parameter = Parameter(Tensor([1, 2] as [Float]))
    let before = parameter.value
    let view = parameter.value[0..<1]
    parameter.copyElements(of: Tensor([5, 6] as [Float]))
    #expect(before.array() == [1, 2] as [Float])
    #expect(view.array() == [1] as [Float])
    #expect(parameter.value.array() == [5, 6] as [Float])
  }

  @Test("that are not shared are changed in place")
  func uniqueUpdate() {
    let parameter = Parameter(Tensor([1, 2] as [Float]))
    let address = parameter.value.withSpan(of: Float.self) { span in
      unsafe span.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
    }
    parameter.copyElements(of: Tensor([5, 6] as [Float]))
    let after = parameter.value.withSpan(of: Float.self) { span in
      unsafe span.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
    }
    #expect(address == after)
  }

  @Test("that the engine returns twice are copied before an update")
  func sharedByEngine() {
    // None of these makes a new tensor if there is nothing to do.
    for share in [{ $0.contiguous() }, { $0.cast(to: .f32) }, { $0.moved(to: .cpu) }]
      as [(Tensor) -> Tensor]
    {
      let parameter = Parameter(Tensor([1, 2] as [Float]))
      let snapshot = share(parameter.value)
      parameter.copyElements(of: Tensor([5, 6] as [Float]))
      #expect(snapshot.array() == [1, 2] as [Float])
    }
  }

  @Test("in a parameter are row-major and forget how they were computed")
  func parameterLayout() throws {
    let x = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
    let parameter = Parameter(x.transposed())
    #expect(parameter.uniqueValue().withBytes { $0.byteCount } == 16)
    #expect(parameter.value.array() == [1, 3, 2, 4] as [Float])
    var kept: Parameter?
    _ = try valueAndGradients(
      of: {
        kept = Parameter(x * 2)
        return x.sum()
      }, for: [x])
    let again = try valueAndGradients(of: { (kept?.value ?? x).sum() }, for: [x])
    #expect(again.gradients[0].array() == [0, 0, 0, 0] as [Float])
  }

  @Test("of large integers are compared exactly")
  func exactComparison() {
    let x = Tensor([16_777_217])
    #expect((x .== 16_777_216).array() == [false] && (x .> 16_777_216).array() == [true])
    #expect((x .!= 16_777_216).array() == [true] && (x .<= 16_777_216).array() == [false])
    #expect((x .< 16_777_218).array() == [true] && (x .>= 16_777_218).array() == [false])
  }

  @Test("of every type can be printed, long or short", arguments: DType.allCases)
  func printsEveryType(dtype: DType) {
    let long = Tensor.range(0..<100).cast(to: dtype).reshaped([2, 50])
    #expect("\(long)".hasPrefix("\(dtype) [2, 50]\n[["))
    #expect("\(long)".contains("…"))
    #expect(!"\(Tensor.ones([2], dtype: dtype))".contains("…"))
  }

  @Test("describe themselves")
  func description() {
    #expect(
      "\(Tensor([1, -2.5, 3, 100] as [Float], shape: [2, 2]))"
        == "f32 [2, 2]\n[[  1.0,  -2.5],\n [  3.0, 100.0]]")
    #expect("\(Tensor(3))" == "i64 []\n3")
    #expect("\(Tensor.zeros([0, 2]))" == "f32 [0, 2]")
    #expect("\(Tensor.range(0..<100))" == "i64 [100]\n[ 0,  1,  2, …, 97, 98, 99]")
    #expect("\(Tensor([true, false]))" == "bool [2]\n[ true, false]")
    #expect(
      "\(Tensor([1e-9, 1.23456789, .nan, .infinity] as [Double]))"
        == "f64 [4]\n[1.0e-9, 1.2346,    nan,    inf]")
  }

  @Test("say that a device is missing")
  func missingDevice() throws {
    #expect(throws: TensorError.deviceUnavailable(.cuda(99))) {
      try Tensor.zeros([1]).moved(toChecked: .cuda(99))
    }
    #expect(Device(parsing: "cuda:3") == .cuda(3) && Device(parsing: "mps") == .mps)
    #expect(Device(parsing: "cuda:-1") == nil && Device(parsing: "tpu") == nil)
  }

  @Test("of wrong shapes end the program with both shapes in the message")
  func wrongShapes() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Tensor.zeros([2, 3]).matmul(Tensor.zeros([4, 5]))
    }
    let message = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(message.contains("[2, 3]") && message.contains("[4, 5]"))
  }

  @Test("read as another type end the program")
  func wrongType() async {
    await #expect(processExitsWith: .failure) {
      _ = Tensor.zeros([2]).array(of: Double.self)
    }
  }

  @Test("use the configured number of threads")
  func threads() async {
    await #expect(processExitsWith: .success) {
      Engine.threadCount = 1
      precondition(Engine.threadCount == 1)
    }
  }
}

@Suite("Brain floats")
struct BFloat16Tests {
  @Test("round to nearest, ties to even, as the engine does")
  func rounding() {
    let values: [Float] = [
      1, 1.001, 1.00390625, 1.01171875, -3.14159, 1e38, 3.4e38, .leastNonzeroMagnitude, 0, -0.0,
      .infinity,
      -.infinity,
    ]
    let engine = Tensor(values).cast(to: .bf16).array(of: BFloat16.self)
    #expect(values.map(BFloat16.init) == engine)
    #expect(BFloat16(.nan).float.isNaN)
  }
}
