extension Collection where Element == String {
  /// The name that a mistyped one most probably stands for; the first of several.
  package func nearest(to mistyped: String) -> String? {
    // Names are short; what is compared must not be as long as a file makes it.
    let word = String(mistyped.prefix(64))
    return map { (name: $0, distance: $0.distance(to: word)) }
      .min { $0.distance < $1.distance }?.name
  }
}

extension String {
  /// Letters to insert, delete or change to make the other word of this one (Levenshtein 1966).
  package func distance(to other: String) -> Int {
    var row = Array(0...other.count)
    for (i, a) in enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in other.enumerated() {
        let change = diagonal + (a == b ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = Swift.min(change, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[other.count]
  }
}
