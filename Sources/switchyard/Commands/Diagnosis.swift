import Foundation
import MoECore
import MoEParallel
import MoEPlacement
import MoETensor
import SystemPackage

/// The checks of `switchyard doctor`.
enum Diagnosis {
  /// A computation with a known result.
  struct Check {
    var name: String
    /// How to fix a failure.
    var remedy: String
    /// Returns a description of the result, or throws.
    var body: () throws -> String
    /// What the environment of the check's process gets, given a folder that is removed afterwards; `nil` for a check
    /// that leaves nothing behind.
    var environment: ((ScratchFolder) -> [String: String])?

    /// Runs the check in a child process: a broken library may end the process that uses it.
    func runInChild() throws -> Result {
      guard let environment else { return try runInChild(with: [:]) }
      do {
        let folder = try ScratchFolder()
        defer { folder.remove() }
        return try runInChild(with: environment(folder))
      } catch let failure as ScratchFolder.Failure {
        return Result(
          name: name, passed: false, detail: failure.description.printable, remedy: remedy)
      }
    }

    private func runInChild(with environment: [String: String]) throws -> Result {
      let child = Process()
      child.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
      child.executableURL = URL(filePath: CommandLine.executablePath)
      child.arguments = ["doctor", "--check", name]
      let (output, errors) = (Pipe(), Pipe())
      (child.standardOutput, child.standardError) = (output, errors)
      try child.run()
      let found = String(
        decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
      // Libraries may write a lot; the check's own message comes last.
      let complaints = String(
        decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
      child.waitUntilExit()
      let crashed = child.terminationReason == .uncaughtSignal
      let passed = !crashed && child.terminationStatus == 0
      let last = (complaints.split(separator: "\n").last ?? "no reason given")
        .trimmingPrefix("Error: ")
      let reason = crashed ? "ended by signal \(child.terminationStatus): \(last)" : String(last)
      let detail = passed ? found.split(separator: "\n").last.map(String.init) ?? "" : reason
      return Result(
        name: name, passed: passed, detail: detail.printable, remedy: passed ? nil : remedy)
    }
  }

  /// The result of a check.
  struct Result: Encodable {
    var name: String
    var passed: Bool
    var detail: String
    var remedy: String?

    var line: String {
      let title = name.padding(toLength: 12, withPad: " ", startingAt: 0)
      let hint = remedy.map { "\n" + String(repeating: " ", count: 18) + "to fix: \($0)" } ?? ""
      return "\(passed ? "ok  " : "FAIL")  \(title)\(detail)\(hint)"
    }
  }

  /// A result that differs from the expected one.
  struct WrongResult: Error, CustomStringConvertible {
    var description: String
  }

  /// Runs one check in this process and prints the result.
  static func runAlone(_ name: String) throws {
    guard let check = checks.first(where: { $0.name == name }) else {
      throw WrongResult(description: "there is no check '\(name)'")
    }
    Output.line(try check.body())
  }

  static var checks: [Check] {
    [
      Check(
        name: "libtorch", remedy: "remove .deps and run 'make build' again", body: checkProducts),
      Check(
        name: "kernels",
        remedy: "choose others with SWITCHYARD_KERNELS=plain, and report the fault",
        body: checkKernels),
      Check(
        name: "gradients", remedy: "remove .deps and run 'make build' again", body: checkGradients),
      Check(
        name: "HiGHS", remedy: "remove .deps/highs and run 'make build' again", body: checkHiGHS),
      Check(
        name: "MPI",
        remedy: "set TMPDIR to a folder with space, or install Open MPI again (openmpi-bin)",
        body: checkMPI, environment: environmentOfMPI),
      Check(
        name: "files", remedy: "free space in the temporary folder, or set TMPDIR to another",
        body: checkFiles),
      Check(
        name: "devices", remedy: "remove .deps and run 'make build' again", body: checkDevices),
    ]
  }

  /// Multiplies matrices in every precision that models use.
  private static func checkProducts() throws -> String {
    let values = Tensor((0..<4096).map { Float($0 % 7) - 3 }, shape: [64, 64])
    let exact = values.cast(to: .f64).matmul(values.cast(to: .f64))
    for dtype in [DType.f32, .bf16, .f16] {
      // Products and sums of small integers are exact in f32 accumulators; bf16 then rounds to 8 bits.
      let product = values.cast(to: dtype).matmul(values.cast(to: dtype)).cast(to: .f64)
      let error = (product - exact).abs().reshaped([-1]).max(axis: 0).item(as: Double.self)
      guard error <= 1 else {
        throw WrongResult(description: "a product in \(dtype) is off by \(error)")
      }
    }
    return
      "\(Engine.version), \(Engine.kernelInstructionSet) kernels, \(threads), f32 bf16 f16 products\(origin("torch"))"
  }

  /// The number of threads, beside that of processors if that is smaller.
  private static var threads: String {
    let threads = count(Engine.threadCount, "thread")
    let processors = Engine.processorCount
    return Engine.threadCount > processors
      ? "\(threads) on \(count(processors, "processor"))" : threads
  }

  /// Compares the kernels of this machine with libtorch's products.
  private static func checkKernels() throws -> String {
    let values = Tensor((0..<96 * 33).map { Float($0 % 7) - 3 }, shape: [33, 96])
    let weight = Tensor((0..<64 * 96).map { Float($0 % 5) - 2 }, shape: [64, 96])
    let exact = values.cast(to: .f64).matmul(weight.cast(to: .f64).transposed())
    let error = (values.linear(weight).cast(to: .f64) - exact).abs().sum().item(as: Double.self)
    guard error == 0 else {
      throw WrongResult(
        description: "a product of the \(Engine.kernelVersion.name) kernels is off by \(error)")
    }
    let names = KernelVersion.available.map(\.name).joined(separator: ", ")
    return "\(Engine.kernelVersion.name), of \(names); fingerprint \(Engine.fingerprint)"
  }

  private static func origin(_ package: String) -> String {
    LibraryOrigins.note(on: package, for: FilePath(CommandLine.executablePath))
  }

  private static func count(_ number: Int, _ noun: String) -> String {
    "\(number) \(noun)\(number == 1 ? "" : "s")"
  }

  private static func checkGradients() throws -> String {
    let x = Tensor([3 as Float])
    let found = try valueAndGradients(of: { (x * x).sum() }, for: [x]).gradients[0].item(
      as: Float.self)
    guard found == 6 else {
      throw WrongResult(description: "the derivative of x² at 3 is \(found)")
    }
    return "the derivative of x² at 3 is 6"
  }

  /// Solves a knapsack problem whose best choice is easy to see: the second and third items.
  private static func checkHiGHS() throws -> String {
    var program = IntegerProgram()
    let items = [6.0, 5, 4].map { program.add(.init(bounds: 0...1, cost: -$0, isInteger: true)) }
    program.constraints = [.init(zip(items, [5.0, 3, 2]).map { .init($0, $1) }, in: 0...5)]
    let solution = try HiGHSSolver().solve(program)
    guard solution.isOptimal, abs(solution.objective + 9) < 1e-9 else {
      throw WrongResult(
        description: "a knapsack problem of value 9 was solved with value \(-solution.objective)")
    }
    return "\(HiGHSSolver.version), solved a knapsack to optimality\(origin("highspy"))"
  }

  /// Lets Open MPI work alone: it starts no daemon and no transport that listens, and its files, whose names are
  /// predictable, are in a folder of this check.
  ///
  /// Ranks that `mpirun` started find each other through the environment, which stays as it is.
  private static func environmentOfMPI(_ folder: ScratchFolder) -> [String: String] {
    let isRank = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK"].contains {
      ProcessInfo.processInfo.environment[$0] != nil
    }
    guard !isRank else { return [:] }
    return [
      "TMPDIR": folder.path.string, "OMPI_MCA_ess_singleton_isolated": "1",
      "OMPI_MCA_pml": "ob1", "OMPI_MCA_btl": "self",
    ]
  }

  private static func checkMPI() throws -> String {
    #if MPI
    let version = try MPICommunicator.version().prefix { $0 != "\n" && $0 != "," }
    let group = try MPICommunicator()
    let echo = try group.allGather([UInt8(truncatingIfNeeded: group.rank)])
    guard echo == (0..<group.size).map({ [UInt8(truncatingIfNeeded: $0)] }) else {
      throw WrongResult(description: "ranks received \(echo)")
    }
    return "\(version), \(count(group.size, "rank"))"
    #else
    return "not built in; this program runs on one rank"
    #endif
  }

  /// Writes, maps and reads a file.
  private static func checkFiles() throws -> String {
    let folder = try ScratchFolder()
    defer { folder.remove() }
    let path = folder.path.appending("numbers.safetensors")
    let numbers: [Float] = [1, 2, 3]
    try SafetensorsFile.write(["numbers": Tensor(numbers)], to: path)
    let read = try SafetensorsFile(path).tensor(named: "numbers").array(of: Float.self)
    guard read == numbers else {
      throw WrongResult(description: "\(numbers) was read back as \(read)")
    }
    return "wrote, mapped and read a tensor in \(folder.parent)"
  }

  /// Computes on every device that libtorch offers.
  private static func checkDevices() throws -> String {
    let found = [Device.cpu, .cuda(0), .mps].filter(\.isAvailable)
    for device in found {
      let sum = Tensor.ones([2, 2], on: device).sum().item(as: Float.self)
      guard sum == 4 else { throw WrongResult(description: "four ones sum to \(sum) on \(device)") }
    }
    return found.map(\.description).joined(separator: ", ")
  }
}

extension CommandLine {
  /// The file of this program.
  static var executablePath: String {
    Bundle.main.executablePath ?? arguments.first ?? "switchyard"
  }
}
