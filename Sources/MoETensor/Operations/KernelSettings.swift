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

/// A way to compute linear layers was asked for that does not exist.
struct LinearWayError: Error, CustomStringConvertible {
  var name: String

  var description: String {
    let names = LinearWay.allCases.map(\.rawValue).joined(separator: ", ")
    return
      "\(LinearWay.variable): there is no way '\(name.printable)' to compute linear layers; leave it out, or choose one of: \(names)"
  }
}
