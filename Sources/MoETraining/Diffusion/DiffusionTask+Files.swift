import MoEEvaluation
import MoECore
import MoEData
public import MoEModels
import MoERouting
import MoETensor

extension DiffusionTask {
  /// Pictures of generated images, and tables of what experts and prototypes did since the last
  /// evaluation.
  public func evaluationFiles() throws -> [ModelFile] {
    var files: [ModelFile] = []
    let sheet = try pictures.flatMap {
      try $0.sheet(of: model, classes: classNames.count, device: device)
    }
    if let sheet { files.append(ModelFile("samples.png", ImageFile.png(sheet))) }
    guard !usage.isEmpty else { return files }
    // Data may have fewer classes than the model; the others are named by number.
    let names =
      classNames + (classNames.count..<max(classNames.count, model.classes)).map(String.init)
      + (model.nullLabel == nil ? [] : ["(no label)"])
    let times = (0..<ExpertUsage.timeParts).map { "\(Double($0) / Double(ExpertUsage.timeParts))" }
    let blocks = model.configuration.sparseBlocks
    files.append(table("usage-by-class.csv", "class", blocks) { (names, usage[$0].byClass) })
    files.append(table("usage-by-time.csv", "time", blocks) { (times, usage[$0].byTime) })
    files.append(rolesTable(blocks))
    let similarities = model.prototypes.map(Self.similarities)
    if !similarities.isEmpty {
      files.append(
        table("prototypes.csv", "prototype", blocks) { place in
          (similarities[place].indices.map(String.init), similarities[place])
        })
    }
    forgetUsage()
    return files
  }

  /// One table of numbers per block, one below the other.
  private func table<Number>(
    _ name: String, _ key: String, _ blocks: [Int], rows: (Int) -> ([String], [[Number]])
  ) -> ModelFile {
    var lines: [String] = []
    for (place, block) in blocks.enumerated() {
      let (names, numbers) = rows(place)
      if lines.isEmpty {
        let columns = (numbers.first ?? []).indices.map { "\($0)" }
        lines.append((["block", key] + columns).joined(separator: ","))
      }
      lines += zip(names, numbers).map { name, row in
        (["\(block)", SeparatedValues.quoted(name)] + row.map { "\($0)" }).joined(separator: ",")
      }
    }
    return ModelFile(name, Array((lines.joined(separator: "\n") + "\n").utf8))
  }

  /// Each role's fraction of a block's work, a row per block; zeros where nothing was counted.
  private func rolesTable(_ blocks: [Int]) -> ModelFile {
    let rows = blocks.enumerated().map { place, block -> String in
      let roles = model.configuration.experts.flatMap { usage[place].roles(of: $0).shares }
      let shares = [roles?.routed, roles?.unconditional, roles?.shared].map { "\($0 ?? 0)" }
      return (["\(block)"] + shares).joined(separator: ",")
    }
    let lines = ["block,routed,unconditional,shared"] + rows
    return ModelFile("roles.csv", Array((lines.joined(separator: "\n") + "\n").utf8))
  }

  /// Cosines between prototypes, `[prototypes][prototypes]`.
  private static func similarities(_ prototypes: Tensor) -> [[Float]] {
    let count = prototypes.size(0)
    let all = Prototypes.similarities(prototypes).array(of: Float.self)
    return (0..<count).map { row in Array(all[row * count..<(row + 1) * count]) }
  }
}
