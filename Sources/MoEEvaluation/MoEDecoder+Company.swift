import MoECore
import MoEModels
import MoERouting

extension MoEDecoder {
  /// Whether sequences may be read together and in parts without another digit (`Documentation/decisions/0014-company.md`).
  ///
  /// Other types go to libtorch, whose sums depend on the number of rows; and some routers look at all rows of a pass.
  var readsTogether: Bool {
    let router = configuration.router
    return [.f32, .bf16].contains(dtype)
      && !(router.map { $0.seesFuture || $0.drawsRandomNumbers } ?? false)
  }
}
