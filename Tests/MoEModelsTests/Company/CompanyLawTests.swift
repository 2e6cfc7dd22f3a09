import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import Testing

/// A prompt, and tokens that follow it one by one.
struct CompanyText {
  let prompt: [Int]
  let written: [Int]

  /// Texts of different lengths.
  static let all: [CompanyText] = (0..<17).map { place in
    let random = { (salt: Int) in (place * 7_919 + salt * 104_729 + salt * salt * 31) % 307 }
    return CompanyText(
      prompt: (0..<1 + place * 37 % 90).map { random($0) },
      written: (0..<5).map { random(200 + $0) })
  }
}

/// The bits of a text's scores: at every position of the prompt, then after each written token.
private struct Bits: Equatable {
  var prompt: [Float] = []
  var written: [[Float]] = []
}

/// Reads texts together.
private final class Company {
  let model: MoEDecoder
  private(set) var bits: [Int: Bits] = [:]
  private var caches: [Int: KeyValueCache] = [:]

  init(_ model: MoEDecoder) { self.model = model }

  /// Reads the prompts of texts, in parts.
  func read(_ places: [Int], parts: Int = .max) {
    for place in places { (bits[place], caches[place]) = (Bits(), model.makeCache()) }
    var start = 0
    while case let rest = places.filter({ CompanyText.all[$0].prompt.count > start }), !rest.isEmpty
    {
      let found = pass(rest, .prompt) { Array($0.prompt.dropFirst(start).prefix(parts)) }
      for (place, scores) in zip(rest, found) { bits[place]?.prompt += scores }
      start = parts == .max ? .max : start + parts
    }
  }

  /// Adds the next written token to texts.
  func write(_ places: [Int]) {
    let found = pass(places, .decode) { [$0.written[self.bits[$1]?.written.count ?? 0]] }
    for (place, scores) in zip(places, found) { bits[place]?.written.append(scores) }
  }

  private func pass(
    _ places: [Int], _ arithmetic: Arithmetic, tokens: (CompanyText) -> [Int]
  ) -> [[Float]] {
    pass(places, arithmetic) { text, _ in tokens(text) }
  }

  private func pass(
    _ places: [Int], _ arithmetic: Arithmetic, tokens: (CompanyText, Int) -> [Int]
  ) -> [[Float]] {
    let parts = places.compactMap { place in
      caches[place].map { SequencePart(tokens: tokens(CompanyText.all[place], place), cache: $0) }
    }
    let logits = model.read(parts, as: arithmetic, scoring: .all).logits
    var start = 0
    return parts.map { part in
      defer { start += part.tokens.count }
      return logits[start..<start + part.tokens.count].cast(to: .f32).array(of: Float.self)
    }
  }
}

/// The laws of `Documentation/decisions/0014-company.md`.
@Suite("Models in company")
struct CompanyLawTests {
  private static func alone(_ model: MoEDecoder, _ places: [Int]) -> [Int: Bits] {
    let company = Company(model)
    for place in places {
      company.read([place])
      for _ in 0..<5 { company.write([place]) }
    }
    return company.bits
  }

  @Test(
    "have the same bits alone, in batches, in parts and after a neighbour left",
    arguments: CompanyModels.names, [DType.f32, .bf16])
  func laws(name: String, dtype: DType) throws {
    try expectLaws(try CompanyModels.model(name, dtype))
  }

  @Test(
    "have the same bits with packed weights of any width",
    arguments: ["olmoe", "mixtral-window", "qwen2_moe", CompanyModels.names.last ?? ""],
    ActivationPrecision.allCases)
  func packedLaws(name: String, activations: ActivationPrecision) throws {
    for dtype in [DType.f32, .bf16] where dtype == .f32 || activations == .automatic {
      try expectLaws(try CompanyModels.model(name, dtype, packed: activations))
    }
  }

  private func expectLaws(_ model: MoEDecoder) throws {
    let expected = Self.alone(model, Array(0..<17))
    func expectSame(_ company: Company, _ situation: String) {
      for (place, bits) in company.bits {
        let own = expected[place]
        #expect(bits.prompt == own?.prompt, "prompt \(place), \(situation)")
        let count = bits.written.count
        #expect(
          bits.written == own.map { Array($0.written.prefix(count)) },
          "what follows prompt \(place), \(situation)")
      }
    }
    for size in [2, 3, 8, 17] {
      let (company, places) = (Company(model), Array(0..<size))
      company.read(places)
      for _ in 0..<5 { company.write(places) }
      expectSame(company, "in a batch of \(size)")
    }
    for parts in [1, 17, 64, 512] {
      let (company, places) = (Company(model), [4, 5, 7])
      company.read(places, parts: parts)
      for _ in 0..<2 { company.write(places) }
      expectSame(company, "in parts of \(parts)")
    }
    let company = Company(model)
    company.read([2, 5, 9])
    company.write([2, 5, 9])
    // One is cancelled, and another one comes.
    company.write([9, 2])
    company.read([11])
    for _ in 0..<2 { company.write([11, 2, 9]) }
    expectSame(company, "after a neighbour left")
    #expect(company.bits[2]?.written.count == 4)
  }

  @Test("have the same bits when whole texts are scored", arguments: CompanyModels.names)
  func scoring(name: String) throws {
    for dtype in [DType.f32, .bf16] {
      let model = try CompanyModels.model(name, dtype)
      let texts = (0..<5).map { row in (0..<33).map { ($0 * 91 + row * 17) % 307 } }
      let together = withoutGradients {
        model(Tensor(texts.flatMap(\.self), shape: [5, 33])).logits
      }
      for (row, tokens) in texts.enumerated() {
        let cache = model.makeCache()
        let read = model.read(
          [SequencePart(tokens: tokens, cache: cache)], as: .prompt, scoring: .all)
        #expect(
          read.logits.cast(to: .f32).array(of: Float.self)
            == together[row].cast(to: .f32).array(of: Float.self), "\(dtype), row \(row)")
        let last = withoutGradients {
          model(Tensor(tokens, shape: [1, 33]), scoring: .last).logits
        }
        #expect(
          last.cast(to: .f32).array(of: Float.self)
            == together[row].at(-1).cast(to: .f32).array(of: Float.self), "\(dtype), the last one")
      }
    }
  }

  @Test("have the same bits on one thread and on two")
  func threads() async {
    // In a process of its own, because the number of threads belongs to all tests.
    await #expect(processExitsWith: .success) {
      for name in ["olmoe", "mixtral-window", "qwen2_moe"] {
        for dtype in [DType.f32, .bf16] {
          for packed in [nil, ActivationPrecision.automatic] {
            let model = try CompanyModels.model(name, dtype, packed: packed)
            var found: [[Int: Bits]] = []
            for count in [1, 2] {
              Engine.threadCount = count
              let company = Company(model)
              company.read([3, 5, 8])
              for _ in 0..<5 { company.write([3, 5, 8]) }
              found.append(company.bits)
            }
            guard found[0] == found[1] else { fatalError("\(name), \(dtype)") }
          }
        }
      }
    }
  }

  @Test("tell prompts from what is written, which is another order of sums")
  func classes() throws {
    let model = try CompanyModels.model("olmoe", .f32)
    let tokens = CompanyText.all[5].prompt
    let scores = Arithmetic.allCases.map { arithmetic in
      let cache = model.makeCache()
      let logits = model.read([SequencePart(tokens: tokens, cache: cache)], as: arithmetic).logits
      #expect(cache.arithmetic == tokens.map { _ in arithmetic } && cache.count == tokens.count)
      return logits
    }
    #expect(scores[0].array(of: Float.self) != scores[1].array(of: Float.self))
    expectClose(scores[0], scores[1], .logits)
  }
}
