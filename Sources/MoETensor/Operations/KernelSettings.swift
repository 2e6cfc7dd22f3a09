import MoECore

extension Engine {
  /// Checks what the environment says about kernels.
  ///
  /// - Throws: ``KernelVersionError`` if it asks for kernels that cannot be used, or an error that
  ///   lists the ways to compute linear layers if it asks for another.
  public static func checkKernelSettings() throws {
    _ = try KernelVersion.chosen(forcedKernels)
    if let name = LinearWay.setting, LinearWay(rawValue: name) == nil {
      throw LinearWayError(name: name)
    }
  }
}
