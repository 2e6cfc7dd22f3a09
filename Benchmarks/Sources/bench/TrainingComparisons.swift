import MoECore
import MoEModels
import MoETensor
import MoETraining
import SystemPackage

/// Steps of training language models: forward, backward, clipping and AdamW.
enum TrainingComparisons {
  static let shapes = DecoderComparisons.shapes.prefix(2).map { shape in
    var shape = shape
    shape.name = shape.name.replacing(", f32", with: "")
    return shape
  }

  static func all(_ shape: DecoderComparisons.Shape, path: FilePath) throws -> [Comparison] {
    try [DType.f32, .bf16].map { dtype in
      let step = try step(path, dtype)
      return Comparison(
        title: "training step on 4×256 tokens, \(shape.name), \(dtype)",
        peerName: "training", iterations: 5,
        run: { iterations in
          try withPeakMemory { try timed(iterations: iterations, step) }
        }, bar: dtype == .f32 ? .ratio(1 / 1.5) : nil)
    }
  }

  /// A step on random tokens, with f32 weights and layers in the given type.
  static func step(_ path: FilePath, _ dtype: DType) throws -> () throws -> Void {
    let model = try MoEDecoder.open(path, dtype: dtype)
    let named = model.parameters
    let optimizer = AdamW(named, settings: try AdamWSettings())
    let tokens = Tensor((0..<4 * 257).map { $0 * 7919 % 4096 }, shape: [4, 257])
    let (inputs, targets) = (
      tokens.slice(axis: 1, 0..<256), tokens.slice(axis: 1, 1..<257).reshaped([-1])
    )
    return {
      let result = try valueAndGradients(
        of: {
          let output = model(inputs)
          let logits = output.logits.reshaped([-1, output.logits.size(2)])
          return logits.cast(to: .f32).crossEntropy(targets: targets)
            + model.balanceLoss(output.sparse) * 0.01
        }, for: named.map(\.parameter))
      optimizer.update(gradients: result.gradients, learningRate: 1e-4)
    }
  }
}
