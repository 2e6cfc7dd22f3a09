import MoECore
public import SystemPackage

extension PlacementPlan {
  /// Writes the plan in a system's format.
  ///
  /// A rank may hold several copies of an expert, as in plans of EPLB; other illegal plans are refused.
  ///
  /// - Parameters:
  ///   - path: The file, which is written atomically.
  ///   - format: The format.
  ///   - modelLayers: Layers of the whole model, dense ones included (default: up to the last with
  ///     experts). SGLang expects a row for each; dense layers get the experts in order, which are
  ///     never looked up.
  /// - Throws: ``PlacementError`` for an illegal plan, or one that the format cannot represent, and
  ///   `FileError`.
  public func write(
    to path: FilePath, as format: PlanFormat = .plan, modelLayers: Int? = nil
  ) throws {
    try validate(allowingWaste: true)
    let text = try format.text(self, modelLayers)
    try AtomicFile.write(text, to: path)
  }

  /// Reads a plan without validating it; see ``violations``.
  ///
  /// - Throws: ``PlacementError/invalidFile(path:message:)``, ``PlacementError/otherFormat(path:format:)``, `SettingError` about hints that the format needs, and
  ///   `FileError`.
  public init(
    contentsOf path: FilePath, as format: PlanFormat = .plan, hints: PlanHints = PlanHints()
  ) throws {
    let file = try MappedFile(path)
    guard file.count <= PlanFormat.byteLimit else {
      throw PlacementError.invalidFile(
        path: path.string.printable,
        message: "\(file.count) bytes are more than any plan; name a plan file")
    }
    let bytes = file.withBytes { span in unsafe span.withUnsafeBytes { unsafe Array($0) } }
    do {
      self = try format.plan(bytes, hints)
    } catch let refusal as PlanRefusal {
      if let other = PlanFormat.guess(bytes), other.name != format.name {
        throw PlacementError.otherFormat(path: path.string.printable, format: other.name)
      }
      throw PlacementError.invalidFile(path: path.string.printable, message: refusal.message)
    }
  }
}
