import SystemPackage

/// The column of the class in AG News; everything else is text.
struct AGNewsColumns {
  let isHeader: Bool
  let label: Int
  /// The numbers of the first and the last class.
  let classes: ClosedRange<Int>
  /// How many columns a row may have.
  let counts: ClosedRange<Int>

  /// Reads the first row, which may be a header.
  init(_ row: [String]) {
    // Without a header, a row begins with the number of its class.
    let names = Int(row[0]) == nil ? row.map { $0.lowercased() } : []
    if let place = names.firstIndex(of: "class index") {
      (isHeader, label, classes) = (true, place, 1...4)
    } else if let place = names.firstIndex(of: "label") {
      (isHeader, label, classes) = (true, place, 0...3)
    } else {
      (isHeader, label, classes) = (false, 0, 1...4)
    }
    counts = isHeader ? row.count...row.count : 2...3
  }
}

/// The columns of the score and the pair in STS-B.
struct STSBColumns {
  let isHeader: Bool
  let score: Int
  let first: Int
  let second: Int
  /// How many columns a row may have.
  let counts: ClosedRange<Int>

  /// Reads the first row, which may be a header.
  ///
  /// - Throws: ``DataError`` for a header that lacks one of the three.
  init(_ row: [String], _ path: FilePath) throws {
    guard let pair = row.firstIndex(of: "sentence1") else {
      (isHeader, score, first, second, counts) = (false, 4, 5, 6, 7...9)
      return
    }
    guard let other = row.firstIndex(of: "sentence2"), let score = row.firstIndex(of: "score")
    else {
      throw DataError.invalidLine(
        path, line: 1,
        problem: "is a header without the columns 'sentence2' and 'score'; scores are needed")
    }
    (isHeader, self.score, first, second) = (true, score, pair, other)
    counts = row.count...row.count
  }
}
