public import MoECore

/// How much flows from each node of a column to each node of the next one, as ribbons.
public struct FlowDiagram: Sendable {
  /// A flow from one column to the next.
  public struct Link: Hashable, Sendable {
    /// Index in the left column.
    public var from: Int
    /// Index in the next column.
    public var to: Int
    /// The amount.
    public var amount: Double
    /// Whether it is highlighted.
    public var isStrong: Bool

    /// Describes a flow.
    public init(from: Int, to: Int, amount: Double, isStrong: Bool = false) {
      (self.from, self.to, self.amount, self.isStrong) = (from, to, amount, isStrong)
    }
  }

  /// Titles of the columns.
  public var columns: [String]
  /// Names of each column's nodes.
  public var names: [[String]]
  /// The size of each node; the sums are about the same in every column.
  public var sizes: [[Double]]
  /// The flows from each column to the next: one list fewer than columns.
  public var links: [[Link]]
  /// Formats amounts.
  public var format: @Sendable (Double) -> String

  /// Collects nodes and the flows between them.
  public init(
    columns: [String], names: [[String]], sizes: [[Double]], links: [[Link]],
    format: @escaping @Sendable (Double) -> String = NumberText.pagePercent
  ) {
    (self.columns, self.names, self.sizes) = (columns, names, sizes)
    (self.links, self.format) = (links, format)
  }

  private static let (top, height, gap, thickness) = (30.0, 380.0, 3.0, 26.0)

  /// Draws the diagram.
  public func figure(_ title: String, note: String = "") -> Figure {
    let width = max(Figure.commonWidth + 1, Double(columns.count) * 122, 900)
    let step = (width - Self.thickness - 4) / Double(max(1, columns.count - 1))
    let orders = FlowOrder(sizes: sizes, links: links).columns
    let most = sizes.map(\.count).max() ?? 1
    let room = Self.height - Self.gap * Double(most)
    let total = sizes.map { $0.reduce(0, +) }.max() ?? 1
    let unit = room / (total > 0 ? total : 1)
    let tops = zip(sizes, orders).map { size, order in
      var (y, tops) = (Self.top, [Double](repeating: 0, count: size.count))
      for place in order {
        tops[place] = y
        y += size[place] * unit + Self.gap
      }
      return tops
    }
    var (weak, strong, nodes) = ([Markup](), [Markup](), [Markup]())
    for (column, list) in links.enumerated() {
      let x = 2 + Double(column) * step + Self.thickness
      for (link, path) in ribbons(
        list, column, orders, tops, unit, x: x, to: x + step - Self.thickness)
      {
        let tip =
          "\(columns[column]) \(names[column][link.from]) → \(columns[column + 1]) \(names[column + 1][link.to]): \(format(link.amount))"
        let ribbon = Markup.element(
          "path", ["d": path, "class": link.isStrong ? "strong" : "link"],
          [.element("title", [:], text: tip)])
        if link.isStrong { strong.append(ribbon) } else { weak.append(ribbon) }
      }
    }
    for (column, size) in sizes.enumerated() {
      let x = 2 + Double(column) * step
      let anchor = column == 0 ? "soft" : column == sizes.count - 1 ? "soft end" : "soft middle"
      let at =
        column == 0 ? x : column == sizes.count - 1 ? x + Self.thickness : x + Self.thickness / 2
      nodes.append(Draw.text(columns[column], x: at, y: 16, anchor))
      for (place, amount) in size.enumerated() {
        nodes += node(column, place, amount, x: x, y: tops[column][place], height: amount * unit)
      }
    }
    return Figure(
      title, description: description, note: note, table: table, width: width,
      height: Self.top + Self.height + 10, drawing: .joined(weak + strong + nodes))
  }

  private func node(
    _ column: Int, _ place: Int, _ amount: Double, x: Double, y: Double, height: Double
  ) -> [Markup] {
    let name = names[column][place]
    let box = Markup.element(
      "rect",
      [
        "x": Coordinate.text(x), "y": Coordinate.text(y),
        "width": Coordinate.text(Self.thickness), "height": Coordinate.text(max(1, height)),
        "class": "node",
      ], [.element("title", [:], text: "\(columns[column]) \(name): \(format(amount))")])
    guard height >= 12 else { return [box] }
    let label = Markup.element(
      "text",
      [
        "x": Coordinate.text(x + Self.thickness / 2), "y": Coordinate.text(y + height / 2 + 4),
        "class": "middle", "style": "fill: var(--paper)",
      ], text: Coordinate.fit(name, in: Self.thickness + 4))
    return [box, label]
  }

  /// Each link with its outline; links leave and arrive in the order of the other side's nodes.
  private func ribbons(
    _ list: [Link], _ column: Int, _ orders: [[Int]], _ tops: [[Double]], _ unit: Double,
    x: Double, to end: Double
  ) -> [(Link, String)] {
    func rank(_ order: [Int]) -> [Int] {
      var ranks = [Int](repeating: 0, count: order.count)
      for (rank, place) in order.enumerated() { ranks[place] = rank }
      return ranks
    }
    let (left, right) = (rank(orders[column]), rank(orders[column + 1]))
    var (leaving, arriving) = (tops[column], tops[column + 1])
    let sorted = list.sorted { (left[$0.from], right[$0.to]) < (left[$1.from], right[$1.to]) }
    let middle = Coordinate.text((x + end) / 2)
    return sorted.map { link in
      let size = link.amount * unit
      let (a, b) = (leaving[link.from], arriving[link.to])
      leaving[link.from] += size
      arriving[link.to] += size
      func point(_ x: Double, _ y: Double) -> String {
        "\(Coordinate.text(x)) \(String(Double(Int(y * 100)) / 100))"
      }
      let (a1, b1) = (point(x, a), point(end, b))
      let (a2, b2) = (point(x, a + size), point(end, b + size))
      let (ya, yb) = (Double(Int(a * 100)) / 100, Double(Int(b * 100)) / 100)
      let (za, zb) = (Double(Int((a + size) * 100)) / 100, Double(Int((b + size) * 100)) / 100)
      return (
        link,
        "M\(a1)C\(middle) \(ya) \(middle) \(yb) \(b1)L\(b2)C\(middle) \(zb) \(middle) \(za) \(a2)Z"
      )
    }
  }

  private var description: String {
    let strong = links.reduce(0) { $0 + $1.count { $0.isStrong } }
    return
      "Ribbons between \(columns.count) columns of up to \(sizes.map(\.count).max() ?? 0) nodes; \(strong) of \(links.reduce(0) { $0 + $1.count }) stand out."
  }

  private var table: Table {
    Table(
      ["from", "to", "amount"],
      links.enumerated().flatMap { column, list in
        list.sorted { $0.amount > $1.amount }.prefix(8).map { link in
          [
            "\(columns[column]), \(names[column][link.from])",
            "\(columns[column + 1]), \(names[column + 1][link.to])", format(link.amount),
          ]
        }
      }, wordColumns: 2)
  }
}

/// An order of each column's nodes with few crossings of ribbons.
///
/// Nodes are moved to the mean position of their neighbours, forwards and backwards a few times.
///
/// - SeeAlso: Sugiyama, Tagawa and Toda 1981,
///   [doi:10.1109/TSMC.1981.4308636](https://doi.org/10.1109/TSMC.1981.4308636).
struct FlowOrder {
  private(set) var columns: [[Int]]

  init(sizes: [[Double]], links: [[FlowDiagram.Link]]) {
    columns = sizes.map { size in size.indices.sorted { (size[$0], $1) > (size[$1], $0) } }
    guard sizes.count > 1 else { return }
    for _ in 0..<4 {
      for column in 1..<sizes.count {
        sort(column, by: column - 1, links[column - 1].map { ($0.to, $0.from, $0.amount) })
      }
      for column in (0..<sizes.count - 1).reversed() {
        sort(column, by: column + 1, links[column].map { ($0.from, $0.to, $0.amount) })
      }
    }
  }

  private mutating func sort(
    _ column: Int, by neighbour: Int, _ links: [(here: Int, there: Int, amount: Double)]
  ) {
    var ranks = [Double](repeating: 0, count: columns[neighbour].count)
    for (rank, place) in columns[neighbour].enumerated() { ranks[place] = Double(rank) }
    var (sum, weight) = (
      [Double](repeating: 0, count: columns[column].count),
      [Double](repeating: 0, count: columns[column].count)
    )
    for link in links {
      sum[link.here] += link.amount * ranks[link.there]
      weight[link.here] += link.amount
    }
    let means = zip(sum, weight).map { $1 > 0 ? $0 / $1 : .infinity }
    columns[column].sort { (means[$0], $0) < (means[$1], $1) }
  }
}
