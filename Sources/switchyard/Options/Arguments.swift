import ArgumentParser
import Foundation
import MoECore
import MoETensor
import SystemPackage

/// The path of a file or folder.
struct PathArgument: ExpressibleByArgument {
  let path: FilePath

  init(_ path: FilePath) { self.path = path }

  init?(argument: String) {
    // Swift replaces bytes that are not UTF-8, which would change the path.
    guard !argument.isEmpty, !argument.unicodeScalars.contains("\u{FFFD}") else { return nil }
    path = FilePath(argument)
  }
}

/// A data type of weights.
enum WeightType: String, CaseIterable, ExpressibleByArgument {
  case f64, f32, bf16, f16

  init?(argument: String) { self.init(rawValue: argument.lowercased()) }

  var dtype: DType {
    switch self {
    case .f64: .f64
    case .f32: .f32
    case .bf16: .bf16
    case .f16: .f16
    }
  }
}

/// Settings of the tensor engine.
struct EngineOptions: ParsableArguments {
  @Option(help: "Threads to compute with (default: the number of cores).") var threads: Int?

  func validate() throws {
    guard threads ?? 1 >= 1, threads ?? 1 <= 4096 else {
      throw ValidationError("--threads is \(threads ?? 0); it must be in 1…4096.")
    }
  }

  /// Configures the engine; to be called before any computation.
  func apply() {
    if let threads { Engine.threadCount = threads }
    let variable = ProcessInfo.processInfo.environment["OMP_NUM_THREADS"]
    // libtorch may use fewer than the variable says.
    let count = threads ?? variable.flatMap { Int($0.prefix { $0 != "," }) } ?? 1
    guard count > Engine.processorCount else { return }
    let source = threads == nil ? "OMP_NUM_THREADS=\(count)" : "--threads \(count)"
    Output.message(
      "note: \(source) is more than the \(Engine.processorCount) processors of this process, which makes everything slower"
    )
  }
}
