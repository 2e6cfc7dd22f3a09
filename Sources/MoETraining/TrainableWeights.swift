import MoECore
import MoEModels
import MoETensor

extension MappedWeights {
  /// The weights of a source, in the data type and on the device of training.
  ///
  /// Selection biases stay f32: their updates are too small for types with less precision.
  static func trainable(
    _ source: any WeightSource, dtype: DType, device: Device
  ) -> MappedWeights {
    MappedWeights(
      source,
      converting: { name, weight in
        weight.cast(to: LanguageTask.isSelectionBias(name) ? .f32 : dtype).moved(to: device)
      })
  }
}
