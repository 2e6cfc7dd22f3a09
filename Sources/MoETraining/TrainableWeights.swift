import MoECore
import MoEModels
import MoETensor

extension MappedWeights {
  /// The weights of a source, in the data type and on the device of training.
  ///
  /// Selection biases, thresholds and centroids stay f32: their updates are too small for types with less precision.
  static func trainable(
    _ source: any WeightSource, dtype: DType, device: Device
  ) -> MappedWeights {
    MappedWeights(
      source,
      converting: { name, weight in
        let isState = WeightNames.isSelectionBias(name) || DiffusionConfiguration.isBuffer(name)
        return weight.cast(to: isState ? .f32 : dtype).moved(to: device)
      })
  }
}
