public import MoECore
public import MoEData
import MoEModels
import MoERouting
import MoETensor
import MoETracing
public import SystemPackage

/// Looks at what the experts of a diffusion transformer do with real images.
public struct DiffusionInspection {
  /// What was found.
  public let report: DiffusionReport
  /// Images that the model makes, a row per class; `nil` for latents.
  public let sheet: Pixels?

  /// Images that are looked at, at most; spread evenly over the data.
  public static let imageLimit = 1000
  private static let batchSize = 64
  private static let clusters = 10
  /// Directions of a weight that are compared.
  private static let directions = 8
  /// Decides times and noise, the same for every model.
  private static let seed: UInt64 = 0

  /// Images of a kind that models can be shown.
  public enum Images: Sendable {
    /// Those of files.
    case files(ImageFiles)
    /// Those of a training run: what it was evaluated on, or else what it was trained on.
    case run(FilePath)
  }

  /// Opens a model and looks.
  ///
  /// - Parameters:
  ///   - folder: Folder of the model or of its training run.
  ///   - images: What it is shown.
  ///   - name: What the report is about.
  ///   - progress: Told what is done.
  /// - Throws: `ModelError`, `ConfigurationError`, `ImageError` or `FileError`; `SettingError` when images and model do
  ///   not fit together.
  public init(
    of folder: FilePath, on images: Images, name: String,
    progress: @escaping ProgressHandler = { _ in }
  ) throws {
    let stored = try StoredDiffusionModel(folder)
    let model = try stored.model()
    let set = try Self.open(images, for: model, classes: stored.knownClasses, progress)
    guard set.imageShape == model.imageShape, set.classes <= model.classes else {
      throw SettingError(
        key: "images", value: "of \(set.imageShape) in \(set.classes) classes",
        expected: "of \(model.imageShape) in at most \(model.classes) classes, as the model's")
    }
    for weight in model.parameters where !weight.parameter.value.isFinite().all() {
      throw SettingError(
        key: weight.name, value: "infinite or NaN", expected: "finite; the weights are damaged")
    }
    var names = Array(stored.classNames.prefix(set.classes))
    while names.count < set.classes { names.append("\(names.count)") }
    let looked = try ExpertWork(
      model, set, count: min(Self.imageLimit, set.count), batchSize: Self.batchSize,
      seed: Self.seed, progress: progress)
    report = DiffusionReport(
      name: name, architecture: model.configuration.title, images: looked.images, classes: names,
      roles: looked.roles.shares, blocks: Self.blocks(model, looked))
    let guidance = model.nullLabel == nil ? 1 : 1.5
    sheet = try SamplePictures(perClass: 8, guidance: guidance).sheet(
      of: model, classes: stored.classNames.count, device: .cpu)
  }

  private static func open(
    _ images: Images, for model: DiffusionTransformer, classes known: [String]?,
    _ progress: @escaping ProgressHandler
  ) throws -> any ImageSet {
    switch images {
    case .files(let files) where files.format == .latents: return try LatentImages(files.paths[0])
    case .files(let files):
      let c = model.configuration
      guard [1, 3].contains(c.channels) else {
        throw ImageError.invalidFile(
          files.paths[0], problem: "this model was trained on latents; name a file with some")
      }
      let read = try files.read(side: c.imageSize, channels: c.channels, progress: progress)
      guard files.format == .folders, let known else { return try ImageArray(read) }
      return try ImageArray(read.relabelled(as: known, from: files.paths[0]))
    case .run(let folder):
      let record = try ConfigurationObject(folder.appending("run.json"))
      guard let json = try record.optionalObject("configuration") else {
        throw ConfigurationError.missingKey(
          path: folder.appending("run.json"), key: "configuration")
      }
      let data = try ImageDataSettings(json)
      try data.check()
      let opened = try data.open(as: known, progress: progress)
      return opened.validation ?? opened.training
    }
  }

  private static func blocks(
    _ model: DiffusionTransformer, _ looked: ExpertWork
  ) -> [DiffusionReport.Block] {
    let prototypes = model.prototypes.map { rows in
      self.rows(Prototypes.similarities(rows).cast(to: .f64))
    }
    return model.configuration.sparseBlocks.enumerated().map { place, block in
      let weights = firstLayers(model, block: block)
      let rows = weights.first?.size(0) ?? 1
      let count = min(directions, rows)
      return DiffusionReport.Block(
        place: block, usage: looked.usage[place], halves: looked.halves[place],
        gate: looked.gates[place], prototypes: prototypes.isEmpty ? [] : prototypes[place],
        subspaces: SubspaceOverlap.overlaps(of: weights, count: count),
        subspaceChance: Double(count) / Double(rows),
        separation: separation(looked.tokens[place]))
    }
  }

  private static func separation(_ tokens: Tensor) -> Double {
    tokens.size(0) > clusters ? ClusterSeparation.ratio(of: tokens, clusters: clusters) : 0
  }

  /// The first matrices of a block's experts, in their order, without the shared one.
  private static func firstLayers(_ model: DiffusionTransformer, block: Int) -> [Tensor] {
    model.parameters.filter {
      $0.name.hasPrefix("blocks.\(block).mlp.experts.")
        && ($0.name.hasSuffix(".up_proj.weight") || $0.name.hasSuffix(".fc1.weight"))
    }.map(\.parameter.value)
  }

  private static func rows(_ matrix: Tensor) -> [[Double]] {
    let width = matrix.size(1)
    let all = matrix.array(of: Double.self)
    return (0..<matrix.size(0)).map { Array(all[$0 * width..<($0 + 1) * width]) }
  }
}

/// What the sparse blocks did with noisy images that have their labels.
private struct ExpertWork {
  let images: Int
  /// Per block, assignments by class and routed expert.
  private(set) var usage: [[[Int]]]
  /// Per block, assignments of images with even and with odd numbers.
  private(set) var halves: [[[Int]]]
  /// Per block, the mean factor of routed experts' answers.
  private(set) var gates: [Double]
  /// Per block, some of what the router saw, shape `[tokens, width]`.
  private(set) var tokens: [Tensor]
  /// Work of all blocks by role, with as many labels left out as in training.
  private(set) var roles = ExpertRoles()

  init(
    _ model: DiffusionTransformer, _ set: any ImageSet, count: Int, batchSize: Int, seed: UInt64,
    progress: ProgressHandler
  ) throws {
    let process = try model.objective.process()
    let blocks = model.configuration.sparseBlocks.count
    let experts = model.configuration.experts?.count ?? 0
    let empty = [Int](repeating: 0, count: experts)
    images = count
    usage = Array(repeating: Array(repeating: empty, count: set.classes), count: blocks)
    halves = Array(repeating: [empty, empty], count: blocks)
    var factors = [(sum: Double, count: Int)](repeating: (0, 0), count: blocks)
    var seen = [[Tensor]](repeating: [], count: blocks)
    let random = RandomSource(seed: seed)
    let dropping = RandomSource(seed: seed &+ 1)
    for start in stride(from: 0, to: count, by: batchSize) {
      let places = Array(start..<min(start + batchSize, count))
      let numbers = places.map { $0 * set.count / count }
      let labels = numbers.map(set.label)
      let noisy = process.noised(try set.images(numbers, random: random), random: random)
      let output = withoutGradients { model(noisy.images, times: noisy.times, labels: labels) }
      guard output.prediction.isAllFinite else {
        throw model.nonFinite(noisy.images, times: noisy.times, labels: labels)
      }
      let sparse = output.sparse
      let isDropped = model.withLabelsDropped(labels, random: dropping).map {
        $0 == model.nullLabel
      }
      roles.add(Self.roles(model, noisy, sparse, isDropped: isDropped))
      for (block, output) in sparse.enumerated() {
        let perImage = output.split.tokensPerSample
        for assignment in output.conditional.assignments {
          let image = assignment[0] / perImage
          usage[block][labels[image]][assignment[1]] += 1
          halves[block][places[image] % 2][assignment[1]] += 1
        }
        let weights = output.conditional.weights
        factors[block].sum += Double(weights.cast(to: .f64).sum().item(as: Double.self))
        factors[block].count += weights.count
        seen[block].append(Self.some(output.tokens, start, places.count, of: count))
      }
      progress(Progress("looking at images", completed: start + places.count, total: count))
    }
    gates = factors.map { $0.sum / Double(max(1, $0.count)) }
    tokens = seen.map { Tensor.concatenated($0, axis: 0) }
  }

  /// Counts who worked on a batch if it had been without some of its labels.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - noisy: The batch.
  ///   - sparse: What blocks did with all labels, which is the same for images that keep theirs.
  ///   - isDropped: Which images lose their labels; these pass the model again.
  /// - Returns: The counts of all blocks.
  private static func roles(
    _ model: DiffusionTransformer, _ noisy: NoisyImages, _ sparse: [DiffusionExperts.Output],
    isDropped: [Bool]
  ) -> ExpertRoles {
    var roles = ExpertRoles()
    guard let experts = model.configuration.experts else { return roles }
    for output in sparse {
      let perImage = output.split.tokensPerSample
      roles.routed += output.conditional.assignments.count { !isDropped[$0[0] / perImage] }
      roles.shared +=
        experts.sharedSize == nil ? 0 : perImage * isDropped.count { !$0 }
    }
    let dropped = isDropped.indices.filter { isDropped[$0] }
    guard let null = model.nullLabel, !dropped.isEmpty else { return roles }
    let labels = Array(repeating: null, count: dropped.count)
    let (images, times) = (
      noisy.images.selecting(Tensor(dropped)), noisy.times.selecting(Tensor(dropped))
    )
    let without = withoutGradients { model(images, times: times, labels: labels).sparse }
    for output in without {
      var usage = ExpertUsage(labels: model.classes + 1, experts: experts.listed)
      usage.add(output, labels: labels, times: times.array(of: Float.self))
      roles.add(usage.roles(of: experts))
    }
    return roles
  }

  /// Vectors of each block that are kept.
  private static let keptTokens = 1000

  /// A batch's part of the vectors that are kept, chosen evenly.
  private static func some(_ tokens: Tensor, _ start: Int, _ images: Int, of all: Int) -> Tensor {
    let first = keptTokens * start / all
    let count = min(keptTokens * (start + images) / all - first, tokens.size(0))
    return tokens.selecting(Tensor((0..<count).map { $0 * tokens.size(0) / count }))
  }
}
