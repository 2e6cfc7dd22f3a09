import MoECore
public import SystemPackage

/// Loads per layer and expert, if nothing else was recorded.
///
/// Supported formats: JSON `[[…], …]`, `{"0": […], …}` or `{"0": {"5": …}}` by layer and those of other systems that
/// ``CountJSON`` lists; CSV with a row per layer, or SGLang's `layer_id,expert_id,count`; NumPy `[layers, experts]`;
/// SGLang's aggregated dumps. Files are recognised by their content. Layers without counts, as dense ones are written,
/// are left out. Fractional values, such as fractions of tokens, are rounded to millionths.
public enum CountMatrix {
  /// Reads loads; several files, such as one per rank, are added.
  ///
  /// - Returns: Counts without transitions. The numbers of tokens and slots are unknown; other things that the file
  ///   leaves open are in the remarks.
  /// - Throws: ``TracingError``, `PickleError` or `FileError`.
  public static func read(_ path: FilePath, adding others: [FilePath] = []) throws -> RoutingCounts
  {
    var table = try table(path)
    for other in others {
      let more = try self.table(other)
      guard !table.namesAllExperts || !more.namesAllExperts || table.experts == more.experts else {
        throw TracingError.invalidFile(
          other,
          "it has \(NumberText.counted(more.experts, "expert")) per layer, \(path) has \(table.experts)"
        )
      }
      guard !table.isMatrix || !more.isMatrix || table.rows.count == more.rows.count else {
        throw TracingError.invalidFile(
          other,
          "it has \(NumberText.counted(more.rows.count, "row")), \(path) has \(table.rows.count); files that do not name their layers can be added only if they have the same"
        )
      }
      table.add(more)
    }
    return try counts(table, path)
  }

  private static func counts(_ table: CountTableFile, _ path: FilePath) throws -> RoutingCounts {
    let width = table.experts
    guard width > 0, width <= RoutingTraceHeader.expertLimit,
      table.rows.count <= RoutingTraceHeader.layerLimit, width * table.rows.count <= cellLimit
    else {
      throw TracingError.invalidFile(
        path,
        "it has \(NumberText.counted(table.rows.count, "layer")) of \(NumberText.counted(width, "expert")); expected [layers][experts]"
      )
    }
    let sums = table.rows.values.map { $0.values.reduce(0, +) }
    guard table.rows.values.allSatisfy({ $0.values.allSatisfy { $0 >= 0 } }),
      sums.allSatisfy({ $0 <= countLimit })
    else { throw TracingError.invalidFile(path, "it holds numbers that are not counts") }
    let kept = table.rows.keys.sorted().filter {
      table.rows[$0]?.values.contains { $0 > 0 } ?? false
    }
    guard !kept.isEmpty else {
      throw TracingError.invalidFile(path, "it counts nothing: all its numbers are 0")
    }
    let isWhole = table.rows.values.allSatisfy { $0.values.allSatisfy { $0 == $0.rounded() } }
    let scale = isWhole || (sums.max() ?? 0) > countLimit / 1e6 ? 1 : 1e6
    let loads = kept.map { layer in
      (0..<width).map { Int(((table.rows[layer]?[$0] ?? 0) * scale).rounded()) }
    }
    let empty = table.rows.keys.sorted().filter { !kept.contains($0) }
    return RoutingCounts(
      layers: kept, expertCount: width, k: nil, tokenCount: nil, loads: loads, firstLoads: [],
      weightedLoads: loads.map { $0.map(Double.init) },
      remarks: remarks(table, empty: empty, isWhole: isWhole))
  }

  /// The most numbers, layers times experts.
  private static let cellLimit = 1 << 24
  /// Sums of counts up to this are exact.
  private static let countLimit = 1e15

  private static func remarks(
    _ table: CountTableFile, empty: [Int], isWhole: Bool
  ) -> [String] {
    var remarks = [
      "The file holds loads only: how many tokens it counts and how many experts each of them chose are unknown."
    ]
    if !empty.isEmpty {
      let names = empty.map(String.init).joined(separator: ", ")
      remarks.append(
        empty.count == 1
          ? "Layer \(names) has no counts and is left out, as a dense layer."
          : "Layers \(names) have no counts and are left out, as dense layers.")
    }
    if !table.namesAllExperts {
      remarks.append(
        "The file lists only experts that were chosen, so a layer is taken to have \(table.experts), the largest index plus 1; if the model has more, add a count of 0 for the last expert to the file."
      )
    }
    if !isWhole {
      remarks.append(
        "The file holds fractions, so nothing can be said about chance.")
    }
    return remarks
  }

  /// A file's table, by its content.
  private static func table(_ path: FilePath) throws -> CountTableFile {
    let start = try TextStart(path)
    if start.isNumPy { return try array(path) }
    if start.isZip {
      guard let loads = try SGLangCounts(PyTorchFile(path)).loads() else {
        throw TracingError.invalidFile(
          path, "it has no 'logical_count'; import dumps of mode per_token as a trace")
      }
      return CountTableFile(rows: loads)
    }
    if start.isSafetensors || start.record != nil || start.isRouting { throw notCounts(path) }
    if start.isJSON { return try CountJSON(path).table() }
    if start.line.hasPrefix("layer_id,expert_id,count") { return try sparse(path) }
    return try csv(path, start)
  }

  /// A refusal that says what the file seems to be.
  static func notCounts(_ path: FilePath) -> TracingError {
    let guess = (try? ForeignFile(path)).flatMap(\.self)?.sentence ?? "its format is unknown"
    return .invalidFile(
      path,
      "\(guess); counts are JSON [[counts of a layer's experts], …] or {\"layer\": [counts], …}, CSV with a row per layer, or .npy [layers, experts]"
    )
  }

  private static func array(_ path: FilePath) throws -> CountTableFile {
    let file = try NumPyFile(path)
    guard file.shape.count == 2, file.shape[1] > 0, file.shape[0] <= RoutingTraceHeader.layerLimit,
      file.count <= cellLimit
    else {
      throw TracingError.invalidFile(
        path, "its shape is \(file.shape); counts are [layers, experts], choices are to be imported"
      )
    }
    let width = file.shape[1]
    return CountTableFile(
      rows: (0..<file.shape[0]).map { file.floats($0 * width..<($0 + 1) * width) })
  }

  /// SGLang's table of earlier versions, one line per layer and expert.
  private static func sparse(_ path: FilePath) throws -> CountTableFile {
    var table = CountTableFile(namesAllExperts: false)
    try LineReader(MappedFile(path)).forEachLine { number, bytes in
      guard number > 1 else { return }
      let fields = String(decoding: bytes.data, as: UTF8.self).split(separator: ",").map {
        Int($0.filter { !$0.isWhitespace })
      }
      guard fields.count == 3, let layer = fields[0], let expert = fields[1], let count = fields[2],
        0..<1 << 20 ~= layer, 0..<RoutingTraceHeader.expertLimit ~= expert, count >= 0
      else {
        throw TracingError.invalidFile(path, "line \(number) is not 'layer,expert,count'")
      }
      table.rows[layer, default: [:]][expert, default: 0] += Double(count)
    }
    return table
  }

  private static func csv(_ path: FilePath, _ start: TextStart) throws -> CountTableFile {
    if start.isTabbedNumbers { throw notCounts(path) }
    let file = try MappedFile(path)
    try file.check(FileLimit.json)
    let bytes = file.copied()
    let mark = TextStart.byteOrderMark
    let text = String(
      decoding: bytes.starts(with: mark) ? bytes[mark.count...] : bytes[...], as: UTF8.self)
    let rows = try text.split(whereSeparator: \.isNewline).enumerated().map { number, line in
      let fields = line.split(separator: ",").map { Double($0.filter { $0 != " " }) }
      guard !fields.contains(nil) else {
        let header = line.filter { $0 != " " }
        throw TracingError.invalidFile(
          path,
          number == 0 && header == "layer,expert"
            ? "it seems to be a trace of llama.cpp; import it"
            : "line \(number + 1) holds something that is not a number")
      }
      return fields.compactMap { $0 }
    }
    guard rows.allSatisfy({ $0.count == rows[0].count }) else {
      throw TracingError.invalidFile(path, "its rows differ in length; expected [layers][experts]")
    }
    return CountTableFile(rows: rows)
  }
}

/// Counts by layer and expert, as a file holds them.
struct CountTableFile {
  var rows: [Int: [Int: Double]] = [:]
  /// Whether the file has a number for every expert, not only for those that were chosen.
  var namesAllExperts = true
  /// Whether rows are layers by their place alone, so that files can be added only row by row.
  var isMatrix = false

  init(namesAllExperts: Bool) { self.namesAllExperts = namesAllExperts }

  /// A row for each layer from 0 on.
  init(rows: [[Double]]) {
    isMatrix = true
    for (layer, row) in rows.enumerated() {
      self.rows[layer] = Dictionary(uniqueKeysWithValues: row.enumerated().map { ($0, $1) })
    }
  }

  /// The largest index of an expert plus 1.
  var experts: Int { (rows.values.compactMap { $0.keys.max() }.max() ?? -1) + 1 }

  /// Adds the counts of another file.
  mutating func add(_ other: CountTableFile) {
    for (layer, row) in other.rows {
      rows[layer, default: [:]].merge(row, uniquingKeysWith: +)
    }
    namesAllExperts = namesAllExperts && other.namesAllExperts
    isMatrix = isMatrix && other.isMatrix
  }
}
