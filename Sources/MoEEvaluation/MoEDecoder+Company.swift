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

  /// Rows with which products run at full speed.
  static var usualRows: Int { 1_024 }

  /// The most rows of a pass that is scored, at least 1: so many that their logits have at most 256 MiB in f32.
  ///
  /// - Parameter rows: The most rows that are asked for, at least 1.
  /// - Returns: The number of rows.
  func rowLimit(_ rows: Int) -> Int {
    max(1, min(rows, (1 << 26) / configuration.vocabularySize))
  }
}
