/// Puts the tokens of a server's passes back into the sequences of their requests.
///
/// A server runs the tokens of many requests in one pass: all of a prompt, or what a cache does not have of it, and then
/// one token of every running request at a time. Where requests are not named, a token belongs to the running request
/// whose next position is the token's; requests keep their order in a batch, which decides between equal positions.
struct RequestSequences {
  /// What a pass does.
  enum Phase {
    /// Reads prompts, or parts of them.
    case extend
    /// Generates a token for each request.
    case decode
    /// Reads prompts and generates tokens.
    case mixed
  }

  /// The tokens of a pass.
  struct Pass {
    /// The position of each token in its request.
    var positions: [Int]
    /// Tokens per request, where the file says so.
    var lengths: [Int]?
    /// The request of each run of tokens, where the file says so.
    var requests: [String]?
    /// What the pass does, where the file says so.
    var phase: Phase?
  }

  /// A sequence: the tokens of a request that were recorded, without a gap.
  struct Sequence {
    /// The pass of each token, and its index there.
    var tokens: [(pass: Int, token: Int)] = []
    /// The number of leading tokens that were not generated.
    var promptLength = 0
    /// The position of the token that comes next.
    fileprivate var next = 0
    fileprivate var hasDecoded = false
    fileprivate var lastPass = -1
  }

  /// The sequences so far, in the order in which they began.
  private(set) var sequences: [Sequence] = []
  /// Whether the phase of every pass was known or followed from its lengths.
  private(set) var hasPhases = true
  private var passes = 0
  private var lastDecode = -1
  /// Sequences by their next position.
  private var waiting: [Int: [Int]] = [:]
  private var named: [String: Int] = [:]
  /// The sequence whose prompt ended the last pass that read prompts, and that pass.
  private var unfinished: (sequence: Int, pass: Int)?
  private var lastExtend = -1

  /// A run of tokens of one request in a pass.
  private struct Run {
    var range: Range<Int>
    var isGenerated: Bool
    var request: String?
  }

  /// Adds the tokens of the next pass.
  mutating func add(_ pass: Pass) {
    defer { passes += 1 }
    guard !pass.positions.isEmpty else { return }
    let runs = runs(pass)
    var used: Set<Int> = []
    let extends = runs.contains { !$0.isGenerated }
    for (place, run) in runs.enumerated() {
      let first = pass.positions[run.range.lowerBound]
      let found = find(run, first, isFirst: place == 0, used)
      let sequence = found ?? begin()
      used.insert(sequence)
      append(run, to: sequence, next: first + run.range.count)
    }
    if extends { lastExtend = passes }
    if runs.contains(where: \.isGenerated) { lastDecode = passes }
  }

  private mutating func begin() -> Int {
    sequences.append(Sequence())
    return sequences.count - 1
  }

  private mutating func append(_ run: Run, to index: Int, next: Int) {
    let old = sequences[index].next
    waiting[old]?.removeAll { $0 == index }
    sequences[index].tokens += run.range.map { (passes, $0) }
    sequences[index].next = next
    sequences[index].lastPass = passes
    if run.isGenerated {
      sequences[index].hasDecoded = true
    } else {
      if !sequences[index].hasDecoded { sequences[index].promptLength += run.range.count }
      unfinished = (index, passes)
    }
    waiting[next, default: []].append(index)
    if let request = run.request { named[request] = index }
  }

  /// The sequence that a run continues; `nil` if it begins one.
  private func find(_ run: Run, _ first: Int, isFirst: Bool, _ used: Set<Int>) -> Int? {
    if let request = run.request {
      return named[request].flatMap { sequences[$0].next == first ? $0 : nil }
    }
    guard first > 0 else { return nil }
    guard run.isGenerated else {
      // A prompt that is read in parts ends one pass and begins the next. Any other run that begins later than at 0
      // has the rest of its prompt in a cache.
      guard isFirst, let unfinished, unfinished.pass == lastExtend,
        sequences[unfinished.sequence].next == first, !sequences[unfinished.sequence].hasDecoded
      else { return nil }
      return unfinished.sequence
    }
    let candidates = (waiting[first] ?? []).filter { !used.contains($0) }
    let alive = candidates.filter { sequences[$0].lastPass >= lastDecode }
    return (alive.isEmpty ? candidates : alive).min()
  }

  /// The runs of a pass, from its phase and lengths or else from its positions.
  private mutating func runs(_ pass: Pass) -> [Run] {
    let count = pass.positions.count
    if pass.phase == .decode { return singles(pass) }
    let lengths = pass.lengths.flatMap { lengths in
      lengths.allSatisfy { 0...count ~= $0 } && lengths.reduce(0, +) == count ? lengths : nil
    }
    guard pass.phase == nil, lengths == nil else {
      return split(pass, lengths: lengths ?? breaks(pass.positions))
    }
    hasPhases = false
    return isDecoding(pass.positions)
      ? singles(pass) : split(pass, lengths: breaks(pass.positions))
  }

  private func singles(_ pass: Pass) -> [Run] {
    pass.positions.indices.map {
      Run(range: $0..<$0 + 1, isGenerated: true, request: request($0, of: pass))
    }
  }

  private func request(_ run: Int, of pass: Pass) -> String? {
    pass.requests.flatMap { $0.indices.contains(run) ? $0[run] : nil }
  }

  private func split(_ pass: Pass, lengths: [Int]) -> [Run] {
    var (start, result) = (0, [Run]())
    for (place, length) in lengths.enumerated() where length > 0 {
      let first = pass.positions[start]
      // In a mixed pass, a single token that a running request waits for is generated.
      let isGenerated = pass.phase == .mixed && length == 1 && !(waiting[first] ?? []).isEmpty
      result.append(
        Run(
          range: start..<start + length, isGenerated: isGenerated,
          request: request(place, of: pass)))
      start += length
    }
    return result
  }

  /// The lengths of runs of consecutive positions.
  private func breaks(_ positions: [Int]) -> [Int] {
    var (lengths, start) = ([Int](), 0)
    for place in positions.indices.dropFirst()
    where positions[place] != positions[place - 1] + 1 {
      lengths.append(place - start)
      start = place
    }
    return lengths + [positions.count - start]
  }

  /// Whether every token is one that a running request waits for.
  private func isDecoding(_ positions: [Int]) -> Bool {
    var need: [Int: Int] = [:]
    for position in positions { need[position, default: 0] += 1 }
    return need.allSatisfy { $0.key > 0 && waiting[$0.key]?.count ?? 0 >= $0.value }
  }
}
