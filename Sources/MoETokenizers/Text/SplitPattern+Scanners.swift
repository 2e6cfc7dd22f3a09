/// The patterns; each function follows its pattern from left to right.
extension PatternScanner {
  private static let wordOrSpace = Class.letter | Class.number | Class.space

  /// Scans ``SplitPattern/gpt2``.
  @inline(__always)
  func gpt2(_ text: Span<UInt8>, _ start: Int, _ limit: Int) -> Int? {
    if let end = contraction(text, start, limit, foldsCase: false) { return end }
    let begin = text[start] == UInt8(ascii: " ") ? start + 1 : start
    if let (first, length) = character(text, begin, limit) {
      let next = begin + length
      if first & Class.letter != 0 { return run(text, next, limit, of: Class.letter) }
      if first & Class.number != 0 { return run(text, next, limit, of: Class.number) }
      if first & Class.space == 0 { return run(text, next, limit, outside: Self.wordOrSpace) }
    }
    return spaces(text, start, limit)
  }

  /// Scans ``SplitPattern/llama3``, or with one digit ``SplitPattern/qwen2``.
  @inline(__always)
  func llama3(_ text: Span<UInt8>, _ start: Int, _ limit: Int, digits: Int) -> Int? {
    if let end = contraction(text, start, limit, foldsCase: true) { return end }
    guard let (first, length) = character(text, start, limit) else { return nil }
    let next = start + length
    if first & Class.letter != 0 { return run(text, next, limit, of: Class.letter) }
    if first & Class.number != 0 {
      return prefix(text, start, limit, of: Class.number, atMost: digits)
    }
    if first & Class.newline == 0, let (second, length) = character(text, next, limit),
      second & Class.letter != 0
    {
      return run(text, next + length, limit, of: Class.letter)
    }
    let begin = text[start] == UInt8(ascii: " ") ? next : start
    let signs = run(text, begin, limit, outside: Self.wordOrSpace)
    if signs > begin { return run(text, signs, limit, of: Class.newline) }
    return spacesAndLines(text, start, limit)
  }

  /// Scans ``SplitPattern/deepSeek``.
  func deepSeek(_ text: Span<UInt8>, _ start: Int, _ limit: Int) -> Int? {
    let word = Class.letter | Class.mark
    let signs = Class.punctuation | Class.symbol
    guard let (first, length) = character(text, start, limit) else { return nil }
    let next = start + length
    // Below U+0080, exactly the ASCII signs are punctuation or symbols.
    if text[start] < 0x80, first & signs != 0 {
      let end = asciiLetters(text, next, limit)
      if end > next { return end }
    }
    if first & word != 0 { return run(text, next, limit, of: word) }
    if first & (Class.newline | signs) == 0, let (second, length) = character(text, next, limit),
      second & word != 0
    {
      return run(text, next + length, limit, of: word)
    }
    let begin = text[start] == UInt8(ascii: " ") ? next : start
    let end = run(text, begin, limit, of: signs)
    if end > begin { return run(text, end, limit, of: Class.newline) }
    return spacesAndLines(text, start, limit)
  }

  private func asciiLetters(_ text: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
    var position = start
    while position < limit, text[position] < 0x80,
      classes(UInt32(text[position])) & Class.letter != 0
    {
      position += 1
    }
    return position
  }
}
