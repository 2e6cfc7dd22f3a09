import MoECore
import MoEModels
import MoETensor

extension MappedWeights {
  /// The weights of a source in the type and on the device of training.
  ///
  /// Selection biases stay f32: their steps are smaller than what narrower types can add.
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
