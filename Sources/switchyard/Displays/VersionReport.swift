import MoEParallel
import MoEPlacement
import MoETensor

/// The output of `--version`.
enum VersionReport {
  /// Switchyard's own version.
  static let version = "0.1.0"

  static var text: String {
    let features = Engine.processorFeatures
    let extensions = features.isEmpty ? "none of those looked for" : features.joined(separator: " ")
    return """
      switchyard \(version)
      kernels    \(Engine.kernelVersion.name), of \(KernelVersion.available.map(\.name).joined(separator: " "))
      libtorch   \(Engine.version), kernels for \(Engine.kernelInstructionSet)
      HiGHS      \(HiGHSSolver.version)
      MPI        \(MPICommunicator.isBuiltIn ? "built in" : "not built in")
      processor  \(extensions)
      threads    \(Engine.threadCount)
      """
  }
}
