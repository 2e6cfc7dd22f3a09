import MoECore
import MoETensor
import MoETestSupport
import Testing

/// Fixture: `Tests/Fixtures/make/operations.py`.
@Suite("Operations, compared with PyTorch")
struct OperationParityTests {
  private let file: SafetensorsFile
  private let cases: [OperationCase]
  private let table = OperationTable.all

  init() throws {
    file = try SafetensorsFile(Fixtures.path("operations.safetensors"))
    cases = try OperationCase.all(in: file)
  }

  @Test("are all covered, with shapes of size 0 and 1")
  func coverage() throws {
    #expect(Set(cases.map(\.op)) == Set(table.keys))
    for (op, group) in Dictionary(grouping: cases, by: \.op) where op != "cast" {
      #expect(group.count >= 3, "\(op) has only \(group.count) cases")
    }
  }

  @Test("give the same results")
  func values() throws {
    for operation in cases {
      let outputs = try run(operation, on: inputs(of: operation))
      #expect(outputs.count == operation.outputs, "\(operation.op) \(operation.name)")
      for (index, output) in outputs.enumerated() {
        expectClose(
          output, try tensor(operation, "out\(index)"), tolerance(operation.op),
          "\(operation.op) \(operation.name)")
      }
    }
  }

  @Test("give the same gradients")
  func gradients() throws {
    var checked = 0
    for operation in cases where !operation.gradients.isEmpty {
      // Independent memory, because a mapped tensor may not be marked twice.
      let inputs = try inputs(of: operation)
      let variables = operation.gradients.map { inputs[$0] }
      let found = try valueAndGradients(
        of: {
          let outputs = try run(operation, on: inputs)
          // The sum of outputs times seeds has the gradients for those seeds.
          return try outputs.enumerated().filter {
            file.contains("\(operation.name)/seed\($0.offset)")
          }
          .map { try ($0.element * tensor(operation, "seed\($0.offset)")).sum() }
          .reduce(Tensor(0 as Float), +)
        }, for: variables)
      for (index, gradient) in zip(operation.gradients, found.gradients) {
        expectClose(
          gradient, try tensor(operation, "grad\(index)"), tolerance(operation.op),
          "gradient \(index) of \(operation.op) \(operation.name)")
        checked += 1
      }
    }
    #expect(checked > 400)
  }

  private func run(_ operation: OperationCase, on inputs: [Tensor]) throws -> [Tensor] {
    let function = try #require(table[operation.op], "\(operation.op)")
    return function(inputs, operation)
  }

  private func inputs(of operation: OperationCase) throws -> [Tensor] {
    try (0..<operation.inputs).map { try tensor(operation, "in\($0)") }
  }

  private func tensor(_ operation: OperationCase, _ name: String) throws -> Tensor {
    try file.tensor(named: "\(operation.name)/\(name)")
  }

  private func tolerance(_ op: String) -> Tolerance {
    switch op {
    case "cast": .exact
    case "cholesky", "choleskyInverse", "solveLower", "solveUpper": .factorizations
    default: .sameKernels
    }
  }
}
