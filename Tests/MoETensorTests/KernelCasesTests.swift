import CKernels
import KernelCases
import Testing

/// A version of the kernels that runs here, and a case that it must pass.
struct KernelCase: Sendable, CustomTestStringConvertible {
  /// Indices of the table and of the case.
  var table: Int, index: Int

  static var all: [KernelCase] {
    (0..<ckernels_table_count())
      .filter { unsafe ckernels_table_runs_here(ckernels_table_at($0)) }
      .flatMap { table in
        (0..<kernel_cases_count()).map { KernelCase(table: table, index: $0) }
      }
  }

  var testDescription: String {
    let version = unsafe String(cString: ckernels_table_at(table).pointee.name)
    let name = unsafe String(cString: kernel_cases_name(index))
    return "\(version), \(name)"
  }

  /// Runs the case; says where results differ, or `nil` if they do not.
  func difference() -> String? {
    let capacity = 512
    var message = [CChar](repeating: 0, count: capacity)
    let passes = unsafe kernel_cases_run(index, ckernels_table_at(table), &message, capacity)
    let text = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return passes ? nil : String(decoding: text, as: UTF8.self)
  }
}

/// What the C cases check on other processors, too; see `Scripts/kernels-elsewhere`.
@Suite("Kernels of every instruction set")
struct KernelCasesTests {
  @Test("agree with plain references", arguments: KernelCase.all)
  func agrees(kernelCase: KernelCase) {
    let difference = kernelCase.difference()
    #expect(difference == nil)
  }

  @Test("exist for this processor")
  func exists() {
    #expect(!KernelCase.all.isEmpty)
  }
}
