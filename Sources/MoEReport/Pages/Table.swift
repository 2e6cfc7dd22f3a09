/// A table of a page: names on the left, numbers aligned right.
public struct Table: Hashable, Sendable {
  /// What the columns hold.
  public var header: [String]
  /// The rows, each as long as the header.
  public var rows: [[String]]
  /// Leading columns that hold words.
  public var wordColumns: Int

  /// Collects rows.
  public init(_ header: [String], _ rows: [[String]], wordColumns: Int = 1) {
    (self.header, self.rows, self.wordColumns) = (header, rows, wordColumns)
  }

  /// Rows that are shown without scrolling.
  private static let shortRows = 20

  var markup: Markup {
    func kind(_ column: Int) -> String { column < wordColumns ? "word" : "number" }
    let head = header.enumerated().map {
      Markup.element("th", ["scope": "col", "class": kind($0)], text: $1)
    }
    let body = rows.map { row in
      Markup.element(
        "tr", [:],
        row.enumerated().map { column, cell in
          column == 0
            ? .element("th", ["scope": "row", "class": kind(0)], text: cell)
            : .element("td", ["class": kind(column)], text: cell)
        })
    }
    let table = Markup.element(
      "table", [:],
      [.element("thead", [:], [.element("tr", [:], head)]), .element("tbody", [:], body)])
    // A short table is read at once; a long one must not push away what follows.
    let isLong = rows.count > Self.shortRows
    return .element("div", ["class": isLong ? "scroll long" : "scroll", "tabindex": "0"], [table])
  }
}
