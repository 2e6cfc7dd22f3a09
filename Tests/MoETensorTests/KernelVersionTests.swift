import Testing

@testable import MoETensor

@Suite("Versions of the kernels")
struct KernelVersionTests {
  @Test("the fastest is used unless another is asked for")
  func choices() throws {
    #expect(!KernelVersion.available.isEmpty)
    #expect(KernelVersion.available.allSatisfy { $0.runsHere })
    #expect(try KernelVersion.chosen(nil) == KernelVersion.available.last)
    #expect(try KernelVersion.chosen("") == KernelVersion.available.last)
    for version in KernelVersion.available {
      #expect(try KernelVersion.chosen(version.name) == version)
    }
  }

  @Test("one runs everywhere, and names differ")
  func names() {
    #expect(KernelVersion.all.first.map { $0.name == "plain" && $0.runsHere } == true)
    #expect(Set(KernelVersion.all.map(\.name)).count == KernelVersion.all.count)
    for version in KernelVersion.all {
      #expect(version.table.lanes.isMultiple(of: version.table.width))
    }
  }

  @Test(
    "names without kernels here are refused", arguments: ["sse", "AVX2", " plain", "a\nb", "\0"])
  func unknown(name: String) throws {
    let error = try #require(throws: KernelVersionError.self) {
      try KernelVersion.chosen(name)
    }
    #expect(error == refusal(of: name, isKnown: false))
    expectHelp(in: error)
    #expect(error.description.contains("in this build"))
    #expect(!error.description.contains("\n"))
  }

  @Test("kernels that this processor cannot run are refused")
  func known() throws {
    for version in KernelVersion.all where !version.runsHere {
      let error = try #require(throws: KernelVersionError.self) {
        try KernelVersion.chosen(version.name)
      }
      #expect(error == refusal(of: version.name, isKnown: true))
    }
    // Also where all of them run.
    let error = refusal(of: "avx1024", isKnown: true)
    expectHelp(in: error)
    #expect(error.description.contains("processor lacks the instructions of the kernels 'avx1024'"))
  }

  private func refusal(of name: String, isKnown: Bool) -> KernelVersionError {
    KernelVersionError(name: name, isKnown: isKnown)
  }

  /// A message names the variable and everything that it may hold.
  private func expectHelp(in error: KernelVersionError) {
    #expect(error.description.hasPrefix("SWITCHYARD_KERNELS: "))
    let names = KernelVersion.available.map(\.name).joined(separator: ", ")
    #expect(error.description.hasSuffix("choose one of: \(names)"))
  }
}
