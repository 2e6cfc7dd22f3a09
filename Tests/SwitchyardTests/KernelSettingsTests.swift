import MoETensor
import Testing

/// What the environment may say about kernels.
@Suite("Settings of kernels")
struct KernelSettingsTests {
  @Test("choose the version that every command uses", arguments: KernelVersion.available)
  func forced(version: KernelVersion) throws {
    let environment = [KernelVersion.variable: version.name]
    let report = try Program.run(["--version"], environment: environment)
    #expect(report.output.contains("\nkernels    \(version.name), of "), "\(report.output)")
    let check = try Program.run(["doctor", "--check", "kernels"], environment: environment)
    #expect(check.exitCode == 0 && check.output.hasPrefix(version.name), "\(check)")
  }

  @Test(
    "are refused with a list of what there is, before any work",
    arguments: [KernelVersion.variable, "SWITCHYARD_LINEAR"])
  func refused(variable: String) throws {
    let run = try Program.run(["info", "nowhere"], environment: [variable: "sse9"])
    #expect(run.exitCode == 1 && run.output.isEmpty, "\(run)")
    let known = variable == KernelVersion.variable ? "plain" : "packedRows"
    #expect(
      run.errors.contains("\(variable): ") && run.errors.contains("'sse9'")
        && run.errors.contains(known), "\(run)")
  }
}
