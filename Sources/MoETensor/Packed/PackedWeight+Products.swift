import CKernels
import MoECore

extension PackedWeight: LinearWeight {
  /// The product with few rows, for which every code is read once.
  private static let mostDotRows = 8
  /// The fewest bytes of codes for which an extra thread pays off.
  private static let smallestDotPart = 32 << 10
  /// The fewest multiplications for which an extra thread pays off.
  private static let smallestPart = 1 << 19

  /// Applies the matrix: `x · weightᵀ + bias`.
  ///
  /// Decoding rounds the inputs, each group by itself, to 16 or 8 bits as ``activations`` says, and computes exactly with
  /// what was rounded. Prompts unpack the weight to bf16 where the processor multiplies it, else to f32. Gradients flow
  /// to `x` and `bias`.
  public func product(_ x: Tensor, bias: Tensor?, as arithmetic: Arithmetic?) -> Tensor {
    require(
      x.rank > 0 && x.size(-1) == shape[1] && bias.map { $0.shape == [shape[0]] } ?? true,
      "\(x.shape) times a weight of \(shape), with a bias of \(bias?.shape ?? [])")
    guard x.count > 0, !Tensor.recordsGradients([x] + (bias.map { [$0] } ?? [])) else {
      return x.linear(dequantized().cast(to: x.dtype), bias: bias)
    }
    let rows = x.count / shape[1]
    let chosen = isPrecise ? .decode : arithmetic ?? (rows <= Self.mostDotRows ? .decode : .prompt)
    let numbers = ordered(x.cast(to: .f32)).contiguous(),
      offsets = bias?.cast(to: .f32).contiguous()
    let result =
      switch chosen {
      case .decode: dots(numbers, rows: rows, offsets)
      case .prompt: packedRows(numbers, rows: rows, offsets)
      }
    return result.reshaped(x.shape.dropLast() + [shape[0]]).cast(to: x.dtype)
  }

  /// Rows of inputs in the order in which the weight stores them.
  private func ordered(_ x: Tensor) -> Tensor {
    guard let order else { return x }
    return x.reshaped([-1, shape[1]]).transposed(0, 1).selecting(order).transposed(0, 1)
  }

  /// Rows of the matrix, as an embedding looks them up.
  public func rows(at ids: Tensor) -> Tensor {
    guard order == nil else { return dequantized().embedding(ids).cast(to: dtype) }
    let places = ids.array(of: Int64.self)
    let inputs = shape[1]
    let result = Tensor.uninitialized([places.count, inputs], dtype: .f32)
    defer { extendLifetime((self, result)) }
    if !places.isEmpty {
      guard let work = unsafe description, let to = unsafe result.freshFloats else {
        programmerError("a packed weight is not on the CPU")
      }
      let outputs = shape[0]
      require(
        places.allSatisfy { 0..<outputs ~= Int($0) }, "rows beyond the \(outputs) of a weight")
      Engine.parallel(places.count, grain: Tensor.rowGrain(width: inputs)) { part in
        unsafe withUnsafePointer(to: work) { work in
          for place in part {
            let row = Int(places[place])
            unsafe Engine.kernels.functions.quantized_rows(work, row, row + 1, to + place * inputs)
          }
        }
      }
    }
    return result.reshaped(ids.shape + [inputs]).cast(to: dtype)
  }

  private func withWork(
    _ x: Tensor, rows: Int, _ bias: Tensor?,
    _ body: (UnsafeMutablePointer<ckernels_quantized_linear>) -> Void
  ) -> Tensor {
    let result = Tensor.uninitialized([rows, shape[0]], dtype: .f32)
    defer { extendLifetime((self, x, bias, result)) }
    guard let weight = unsafe description else {
      programmerError("a packed weight is not on the CPU")
    }
    var work = unsafe ckernels_quantized_linear(
      weight: weight, rows: rows, outputs: shape[0], x: x.floats, forms: nil, bias: bias?.floats,
      packed: nil, result: result.freshFloats)
    unsafe body(&work)
    return result
  }

  private func dots(_ x: Tensor, rows: Int, _ bias: Tensor?) -> Tensor {
    Self.dots(x, rows: rows, [(self, bias)])[0]
  }

  /// Products of the same rows with several weights, all at once: the rows are rounded once for each form.
  private static func dots(
    _ x: Tensor, rows: Int, _ weights: [(weight: PackedWeight, bias: Tensor?)]
  ) -> [Tensor] {
    let kernels = unsafe Engine.kernels.functions
    var rounded: [(form: Int, rows: RoundedRows)] = []
    var works: [ckernels_quantized_linear] = unsafe []
    let results = weights.map { weight, bias in
      let result = Tensor.uninitialized([rows, weight.shape[0]], dtype: .f32)
      guard var description = unsafe weight.description else {
        programmerError("a packed weight is not on the CPU")
      }
      let form = unsafe kernels.quantized_form(&description)
      if !rounded.contains(where: { $0.form == form }) {
        rounded.append((form, RoundedRows(x, rows: rows, inputs: weight.shape[1], form: form)))
      }
      unsafe works.append(
        ckernels_quantized_linear(
          weight: description, rows: rows, outputs: weight.shape[0], x: x.floats,
          forms: rounded.first { $0.form == form }?.rows.start, bias: bias?.floats, packed: nil,
          result: result.freshFloats))
      return result
    }
    defer { extendLifetime((x, weights, rounded, results)) }
    let outputs = weights.reduce(0) { $0 + $1.weight.shape[0] }
    let bytes = weights.reduce(0) { $0 + $1.weight.shape[0] * $1.weight.outputBytes }
    unsafe works.withUnsafeBufferPointer { works in
      Engine.parallel(outputs, grain: smallestDotPart * outputs / bytes) { part in
        var first = 0
        for place in weights.indices {
          let own = first..<first + weights[place].weight.shape[0]
          let mine = own.clamped(to: part)
          if !mine.isEmpty, let start = works.baseAddress {
            unsafe kernels.quantized_dots(
              start + place, mine.lowerBound - first, mine.upperBound - first)
          }
          first = own.upperBound
        }
      }
    }
    return results
  }

  /// Products of the same inputs with several weights, as text generation computes them.
  ///
  /// - Parameters:
  ///   - x: Inputs, at least one, without gradients.
  ///   - weights: Weights with as many inputs, which store them in order, and their biases.
  /// - Returns: What ``product(_:bias:as:)`` gives for each.
  package static func decoded(
    _ x: Tensor, _ weights: [(weight: PackedWeight, bias: Tensor?)]
  ) -> [Tensor] {
    let inputs = x.size(-1)
    require(
      x.count > 0 && weights.allSatisfy { $0.weight.shape[1] == inputs && $0.weight.order == nil },
      "\(x.shape) times weights of \(weights.map(\.weight.shape))")
    let numbers = x.cast(to: .f32).contiguous()
    let found = dots(
      numbers, rows: x.count / inputs,
      weights.map { ($0.weight, $0.bias?.cast(to: .f32).contiguous()) })
    let front = x.shape.dropLast()
    return zip(found, weights).map { $0.reshaped(front + [$1.weight.shape[0]]).cast(to: x.dtype) }
  }

  private func packedRows(_ x: Tensor, rows: Int, _ bias: Tensor?) -> Tensor {
    unsafe withWork(x, rows: rows, bias) { work in
      let (kernels, width) = unsafe (Engine.kernels.functions, Engine.kernels.width)
      let packed = unsafe Tensor.uninitialized([kernels.quantized_linear_count(work)], dtype: .f32)
      defer { extendLifetime(packed) }
      unsafe work.pointee.packed = packed.freshFloats
      let grain = Tensor.rowGrain(width: shape[1] * width)
      Engine.parallel((rows + width - 1) / width, grain: grain) { part in
        unsafe kernels.quantized_linear_pack(work, part.lowerBound, part.upperBound)
      }
      let tiles = (shape[0] + width - 1) / width
      // A thread unpacks a run of outputs at a time.
      let runs = min(
        tiles, 4 * Engine.threadCount, rows * shape[0] * shape[1] / Self.smallestPart + 1)
      let scratch = unsafe kernels.quantized_linear_scratch(work)
      unsafe Engine.parallelPieces(runs, scratch: scratch) { run, memory in
        unsafe kernels.quantized_linear_outputs(
          work, tiles * run / runs, tiles * (run + 1) / runs, memory)
      }
    }
  }
}

/// Rows rounded to whole numbers, as the codes of packed weights are multiplied with them.
@safe package final class RoundedRows {
  private let storage: Tensor

  /// Rounds rows.
  ///
  /// - Parameters:
  ///   - x: f32, contiguous, `[rows, inputs]`.
  ///   - rows: Number of rows.
  ///   - inputs: Their width.
  ///   - form: A form that the kernels name.
  package init(_ x: Tensor, rows: Int, inputs: Int, form: Int) {
    let kernels = unsafe Engine.kernels.functions
    let bytes = unsafe kernels.quantized_form_bytes(inputs, form)
    storage = Tensor.uninitialized([rows * bytes], dtype: .u8)
    defer { extendLifetime(x) }
    let work = unsafe ckernels_rounding(
      inputs: inputs, form: form, x: x.floats, result: storage.freshElements)
    Engine.parallel(rows, grain: Tensor.rowGrain(width: inputs)) { part in
      unsafe withUnsafePointer(to: work) {
        unsafe kernels.quantized_prepare($0, part.lowerBound, part.upperBound)
      }
    }
  }

  /// The first row.
  package var start: UnsafeRawPointer? { unsafe storage.hostElements }
}
