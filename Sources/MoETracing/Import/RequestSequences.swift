/// Puts the tokens of a server's passes back into the sequences of their requests.
///
/// A server runs the tokens of many requests in one pass: all of a prompt, or what a cache does not have of it, and then
/// one token of every running request at a time. Where requests are not named, a token belongs to the running request
/// whose next position is the token's; requests keep their order in a batch, which decides between equal positions.
///
/// A prompt of which a cache has the beginning looks like the rest of the prompt before it, if that ends where it begins.
/// Such runs are joined until a later pass needs the first of them alone.
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
    fileprivate var joins: [Join] = []
  }

  /// Where a run was taken for the rest of a prompt.
  fileprivate struct Join {
    /// The position of the run's first token, and the number of tokens before it in the sequence.
    var position: Int
    var count: Int
    /// The place of the run among the sequences, if it is a request of its own.
    var seat: Int
  }

  /// The sequences so far, in the order in which they began.
  var sequences: [Sequence] { seats.filter { !$0.tokens.isEmpty } }
  /// The sequences, and empty ones for runs that may be a request of their own.
  private var seats: [Sequence] = []
  private var hasJoins = false
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
    var previous: Int?
    let extends = runs.contains { !$0.isGenerated }
    divide(for: runs, pass.positions)
    for (place, run) in runs.enumerated() {
      let first = pass.positions[run.range.lowerBound]
      let found =
        run.isGenerated
        ? running(run, first, after: previous, used) : unfinished(run, first, isFirst: place == 0)
      let sequence = found ?? begin()
      used.insert(sequence)
      if run.isGenerated { previous = sequence }
      append(run, to: sequence, next: first + run.range.count)
    }
    if extends { lastExtend = passes }
    if runs.contains(where: \.isGenerated) { lastDecode = passes }
  }

  private mutating func begin() -> Int {
    seats.append(Sequence())
    return seats.count - 1
  }

  private mutating func append(_ run: Run, to index: Int, next: Int) {
    let old = seats[index].next
    waiting[old]?.removeAll { $0 == index }
    seats[index].tokens += run.range.map { (passes, $0) }
    seats[index].next = next
    seats[index].lastPass = passes
    if run.isGenerated {
      seats[index].hasDecoded = true
    } else {
      if !seats[index].hasDecoded { seats[index].promptLength += run.range.count }
      unfinished = (index, passes)
    }
    waiting[next, default: []].append(index)
    if let request = run.request { named[request] = index }
  }

  /// The sequence that a request's name and a position tell; `nil` if there is none.
  private func sequence(of request: String, at first: Int) -> Int? {
    named[request].flatMap { seats[$0].next == first ? $0 : nil }
  }

  /// The sequence whose prompt a run continues; `nil` if the run begins one.
  ///
  /// A prompt that is read in parts ends one pass and begins the next. Any other run that begins later than at 0 has the
  /// rest of its prompt in a cache.
  private mutating func unfinished(_ run: Run, _ first: Int, isFirst: Bool) -> Int? {
    if let request = run.request { return sequence(of: request, at: first) }
    guard first > 0, isFirst, let unfinished, unfinished.pass == lastExtend,
      seats[unfinished.sequence].next == first, !seats[unfinished.sequence].hasDecoded
    else { return nil }
    let (index, seat) = (unfinished.sequence, begin())
    seats[index].joins.append(
      Join(position: first, count: seats[index].tokens.count, seat: seat))
    hasJoins = true
    return index
  }

  /// The sequence of a generated token; `nil` if none waits for it.
  ///
  /// Of several, it is the next one in the batch's order after that of the token before it.
  private func running(_ run: Run, _ first: Int, after previous: Int?, _ used: Set<Int>) -> Int? {
    if let request = run.request { return sequence(of: request, at: first) }
    guard first > 0 else { return nil }
    let candidates = (waiting[first] ?? []).filter { !used.contains($0) }
    let alive = candidates.filter(isAlive)
    let choices = alive.isEmpty ? candidates : alive
    return choices.filter { $0 > previous ?? -1 }.min() ?? choices.min()
  }

  /// Whether a sequence had a token in the last pass that generated any, or later; it has ended otherwise.
  private func isAlive(_ sequence: Int) -> Bool { seats[sequence].lastPass >= lastDecode }

  /// Undoes joins where more tokens are generated at their positions than sequences wait there.
  private mutating func divide(for runs: [Run], _ positions: [Int]) {
    guard hasJoins else { return }
    var need: [Int: Int] = [:]
    for run in runs where run.isGenerated && run.request == nil {
      need[positions[run.range.lowerBound], default: 0] += 1
    }
    for (position, count) in need.sorted(by: { $0.key < $1.key }) {
      let missing = count - (waiting[position] ?? []).count(where: isAlive)
      guard missing > 0 else { continue }
      for index in seats.indices.filter({ mayDivide($0, at: position) }).prefix(missing) {
        divide(index, at: position)
      }
    }
  }

  /// Whether a sequence that has generated nothing was joined at a position, and what is before that has not missed a
  /// pass that generated tokens, as an unfinished prompt does.
  private func mayDivide(_ index: Int, at position: Int) -> Bool {
    let sequence = seats[index]
    return !sequence.hasDecoded
      && sequence.joins.contains {
        $0.position == position && sequence.tokens[$0.count - 1].pass >= lastDecode
      }
  }

  /// Makes the tokens after a join a sequence of their own.
  private mutating func divide(_ index: Int, at position: Int) {
    guard let place = seats[index].joins.firstIndex(where: { $0.position == position }) else {
      return
    }
    let whole = seats[index]
    let join = whole.joins[place]
    var (head, rest) = (whole, whole)
    head.tokens = Array(whole.tokens[..<join.count])
    rest.tokens = Array(whole.tokens[join.count...])
    (head.promptLength, rest.promptLength) = (join.count, whole.promptLength - join.count)
    (head.next, head.lastPass) = (join.position, head.tokens.last?.pass ?? -1)
    head.joins = Array(whole.joins[..<place])
    rest.joins = whole.joins[(place + 1)...].map { later in
      var later = later
      later.count -= join.count
      return later
    }
    (seats[index], seats[join.seat]) = (head, rest)
    waiting[whole.next]?.removeAll { $0 == index }
    waiting[whole.next, default: []].append(join.seat)
    waiting[head.next, default: []].append(index)
    if let unfinished, unfinished.sequence == index { self.unfinished?.sequence = join.seat }
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
