import CKernels
import MoECore

/// The layouts of codes in other formats, in words of 32 bits.
public enum CodeLayout: Hashable, Sendable, CaseIterable {
  /// Each output is a column of words, and a little-endian stream down that column: GPTQ, `[inputs · bits / 32,
  /// outputs]`.
  case columns
  /// The same, but for every 32 codes the low bits come first, then the high ones: GPTQModel's `gptq_p`.
  case planarColumns
  /// Eight outputs share a word, in the order 0, 2, 4, 6, 1, 3, 5, 7: AWQ's GEMM layout, `[inputs, outputs / 8]`.
  case awq
  /// Rows of whole codes per word: compressed-tensors before its dense form, `[outputs, ⌈inputs / ⌊32 / bits⌋⌉]`.
  case paddedRows

  fileprivate var kernel: ckernels_layout {
    switch self {
    case .columns: CKERNELS_LAYOUT_COLUMNS
    case .planarColumns: CKERNELS_LAYOUT_PLANAR_COLUMNS
    case .awq: CKERNELS_LAYOUT_AWQ
    case .paddedRows: CKERNELS_LAYOUT_PADDED_ROWS
    }
  }

  /// The shape of the words of a weight.
  ///
  /// - Parameters:
  ///   - bits: 2 to 8; 4 for AWQ.
  ///   - outputs: Outputs.
  ///   - inputs: Inputs.
  /// - Returns: Rows and columns of words.
  public func shape(bits: Int, outputs: Int, inputs: Int) -> [Int] {
    switch self {
    case .columns, .planarColumns: [(inputs * bits + 31) / 32, outputs]
    case .awq: [inputs, (outputs + 7) / 8]
    case .paddedRows: [outputs, (inputs + 32 / bits - 1) / (32 / bits)]
    }
  }

  /// The codes as rows that are streams, as ``PackedWeight`` stores them.
  ///
  /// - Parameters:
  ///   - words: i32 or u32 on the CPU, of the layout's shape.
  ///   - bits: Bits of a code; 2 to 8, 4 for AWQ.
  ///   - stored: Bits that a code has in the result, at least as many.
  ///   - shape: Outputs and inputs. Planar columns need multiples of 32 inputs, AWQ multiples of 8 outputs.
  ///   - order: The input of each place in a row; `nil` to keep their order.
  /// - Returns: u32, `[outputs, words of a row]`.
  public func rows(
    of words: Tensor, bits: Int, as stored: Int, shape: [Int], order: Tensor? = nil
  ) -> Tensor {
    let (outputs, inputs) = (shape[0], shape[1])
    precondition(words.shape == self.shape(bits: bits, outputs: outputs, inputs: inputs))
    precondition(stored >= bits && (self != .awq || outputs.isMultiple(of: 8)))
    precondition(self != .planarColumns || inputs.isMultiple(of: 32))
    let source = words.contiguous(), order = order?.cast(to: .i64).contiguous()
    let rowWords = (inputs * stored + 31) / 32
    let result = Tensor.uninitialized([outputs, rowWords], dtype: .u32)
    defer { extendLifetime((source, order, result)) }
    let work = unsafe ckernels_layout_work(
      layout: kernel, bits: CInt(bits), to_bits: CInt(stored), inputs: inputs, outputs: outputs,
      row_bytes: 4 * rowWords, words: source.hostElements?.assumingMemoryBound(to: UInt32.self),
      order: order?.hostElements?.assumingMemoryBound(to: Int64.self),
      result: result.freshElements?.assumingMemoryBound(to: UInt8.self))
    Engine.parallel(outputs, grain: 64) { part in
      unsafe withUnsafePointer(to: work) {
        unsafe ckernels_move_codes($0, part.lowerBound, part.upperBound)
      }
    }
    return result
  }
}
