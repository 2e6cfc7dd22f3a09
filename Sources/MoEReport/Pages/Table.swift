/// A table with names on the left and right-aligned numbers.
public struct Table: Hashable, Sendable {
  /// The column titles.
  public var header: [String]
  /// The rows, each as long as the header.
  public var rows: [[String]]
  /// The number of leading columns that contain words.
  public var wordColumns: Int

  /// Creates a table.
  public init(_ header: [String], _ rows: [[String]], wordColumns: Int = 1) {
    (self.header, self.rows, self.wordColumns) = (header, rows, wordColumns)
  }

  /// The number of rows that are shown without scrolling.
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
    // A long table scrolls, so that it does not push down what follows.
    let isLong = rows.count > Self.shortRows
    return .element("div", ["class": isLong ? "scroll long" : "scroll", "tabindex": "0"], [table])
  }
}
