package import CKernels
import Foundation
import MoECore

/// The versions of Switchyard's own kernels: one for each instruction set.
public struct KernelVersion: Hashable, Sendable {
  /// `plain`, `avx2`, `avx512`, `avx512bf16` or `neon`.
  public let name: String
  /// Whether this processor has the instructions.
  public let runsHere: Bool
  /// Its place in the table of versions.
  private let index: Int

  /// All versions of this build, the slowest first.
  public static let all: [KernelVersion] = (0..<ckernels_table_count()).map { index in
    let table = unsafe ckernels_table_at(index)
    return unsafe KernelVersion(
      name: String(cString: table.pointee.name), runsHere: ckernels_table_runs_here(table),
      index: index)
  }

  /// The versions that this processor has the instructions for, the slowest first; at least one.
  public static let available: [KernelVersion] = all.filter(\.runsHere)

  /// The environment variable that forces a version.
  public static let variable = "SWITCHYARD_KERNELS"

  /// The version to use: the one that is asked for, or the fastest.
  ///
  /// - Parameter name: What ``variable`` holds; nothing is asked for by `nil` or an empty text.
  /// - Returns: A version that runs here.
  /// - Throws: ``KernelVersionError`` if there is no such version here.
  public static func chosen(_ name: String?) throws -> KernelVersion {
    guard let name, !name.isEmpty else { return available[available.count - 1] }
    guard let version = available.first(where: { $0.name == name }) else {
      throw KernelVersionError(name: name, isKnown: all.contains { $0.name == name })
    }
    return version
  }

  /// The functions, and the sizes that their callers must know.
  package var table: KernelTable {
    unsafe KernelTable(functions: ckernels_table_at(index).pointee)
  }
}

/// The functions of one version of the kernels.
///
/// They read and write memory that their work describes by address; each caller vouches for that.
@safe package struct KernelTable: @unchecked Sendable {
  /// The table as C knows it.
  package let functions: ckernels_table

  /// Elements of a vector register: blocks of rows are padded to whole vectors.
  package var width: Int { unsafe functions.width }
  /// The most rows of one block.
  package var lanes: Int { unsafe functions.lanes }
  /// Whether products of bf16 are faster than those of f32; otherwise bf16 numbers are widened
  /// while they are read.
  package var multipliesBF16: Bool { unsafe functions.multiplies_bf16 }

  init(functions: ckernels_table) { unsafe self.functions = functions }

  /// The rows of one block when `count` rows are split into blocks of nearly equal size that fill
  /// whole vectors.
  package func blockSize(_ count: Int) -> Int {
    let parts = (count + lanes - 1) / lanes
    return padded((count + parts - 1) / parts)
  }

  /// A number of rows, rounded up to whole vectors.
  package func padded(_ count: Int) -> Int { (count + width - 1) / width * width }
}

/// A version of the kernels was asked for that cannot be used.
public struct KernelVersionError: Error, Hashable, CustomStringConvertible {
  /// What was asked for.
  public var name: String
  /// Whether a version has this name; then the processor lacks its instructions.
  public var isKnown: Bool

  /// What happened and what to change.
  public var description: String {
    let names = KernelVersion.available.map(\.name).joined(separator: ", ")
    let reason =
      isKnown
      ? "this processor lacks the instructions of the kernels '\(name)'"
      : "there are no kernels '\(name.printable)' in this build"
    return "\(KernelVersion.variable): \(reason); leave it out, or choose one of: \(names)"
  }
}

extension Engine {
  /// The version of Switchyard's kernels that this process uses.
  ///
  /// It is chosen once: the fastest that runs here, or the one that the environment variable
  /// `SWITCHYARD_KERNELS` names. Programs call ``checkKernelSettings()`` first, so that a wrong name
  /// is an error and not the end of the process.
  public static let kernelVersion: KernelVersion = {
    do {
      return try KernelVersion.chosen(forcedKernels)
    } catch {
      programmerError("\(error)")
    }
  }()

  /// What the environment says, if anything.
  static var forcedKernels: String? {
    ProcessInfo.processInfo.environment[KernelVersion.variable]
  }

  /// The functions of ``kernelVersion``.
  package static let kernels: KernelTable = kernelVersion.table
}
