public import MoECore

/// Numbers of a table as colours.
public struct HeatMap: Sendable {
  /// Names of the rows, from top to bottom.
  public var rows: [String]
  /// Names of the columns.
  public var columns: [String]
  /// The values, row by row.
  public var values: [Double]
  /// The title of the rows.
  public var rowTitle: String
  /// The title of the columns.
  public var columnTitle: String
  /// The title of the values.
  public var valueTitle: String
  /// The values of the first and the last colour; `nil` for the smallest and the largest.
  public var range: ClosedRange<Double>?
  /// The colours.
  public var scale: ColorScale
  /// Formats values.
  public var format: @Sendable (Double) -> String

  /// Collects values.
  public init(
    rows: [String], columns: [String], values: [Double], rowTitle: String, columnTitle: String,
    valueTitle: String, range: ClosedRange<Double>? = nil, scale: ColorScale = .sequential,
    format: @escaping @Sendable (Double) -> String = NumberText.short
  ) {
    (self.rows, self.columns, self.values) = (rows, columns, values)
    (self.rowTitle, self.columnTitle, self.valueTitle) = (rowTitle, columnTitle, valueTitle)
    (self.range, self.scale, self.format) = (range, scale, format)
  }

  /// With more cells, neighbours of the same colour are merged, and there are no tooltips.
  private static let cellLimit = 2500
  /// With more cells, the table lists only the largest value of each row.
  private static let tableLimit = 4096
  /// The number of shades.
  private static let levels = 64

  private var ends: (low: Double, high: Double) {
    let finite = values.filter(\.isFinite)
    let low = range?.lowerBound ?? finite.min() ?? 0
    let high = range?.upperBound ?? finite.max() ?? 1
    return (low, high > low ? high : low + 1)
  }

  /// Draws the map.
  ///
  /// - Precondition: There are as many values as rows times columns, at least one.
  public func figure(_ title: String, note: String = "") -> Figure {
    precondition(
      values.count == rows.count * columns.count && !values.isEmpty,
      "\(values.count) values for \(rows.count) rows and \(columns.count) columns")
    let left = min(130, (rows.map { Coordinate.width($0) }.max() ?? 0) + 10)
    let width = columns.count > 72 ? 960.0 : Figure.commonWidth
    let cell = (width - left - 6) / Double(columns.count)
    let height = min(max(cell, 340 / Double(rows.count), 3), max(18, min(cell, 34)))
    let top = 40.0
    let bottom = top + height * Double(rows.count)
    var parts = labels(left: left, top: top, cell: cell, height: height, width: width)
    parts.append(cells(left: left, top: top, cell: cell, height: height))
    parts.append(
      Draw.box(
        x: left, y: top, width: cell * Double(columns.count), height: bottom - top, "frame"))
    parts += legend(left: left, top: bottom + 12, width: width - left - 6)
    return Figure(
      title, description: description, note: note, table: table, width: width,
      height: bottom + 52, drawing: .joined(parts))
  }

  private func labels(
    left: Double, top: Double, cell: Double, height: Double, width: Double
  ) -> [Markup] {
    var parts = [
      Draw.text(rowTitle, x: 2, y: 14, "soft"),
      Draw.text(columnTitle, x: left + (width - left) / 2, y: 14, "soft middle"),
    ]
    let across = columns.enumerated().map { (left + (Double($0) + 0.5) * cell, $1) }
    for (x, label) in ChartFrame.thinned(across, room: width - left) {
      parts.append(Draw.text(label, x: x, y: top - 6, "soft middle"))
    }
    let step = max(1, Int((14 / height).rounded(.up)))
    for place in stride(from: 0, to: rows.count, by: step) {
      let y = top + (Double(place) + 0.5) * height + 4
      parts.append(
        Draw.text(Coordinate.fit(rows[place], in: left - 8), x: left - 5, y: y, "soft end"))
    }
    return parts
  }

  /// The shade of each value; the ends are found once, not for every cell.
  private var shades: [Int] {
    let (low, high) = ends
    return values.map { value in
      let part = (value - low) / (high - low)
      guard part.isFinite else { return 0 }
      return min(Self.levels - 1, Int(min(1, max(0, part)) * Double(Self.levels)))
    }
  }

  private func color(_ level: Int) -> String {
    scale.color(at: Double(level) / Double(Self.levels - 1))
  }

  private func cells(left: Double, top: Double, cell: Double, height: Double) -> Markup {
    let place = "translate(\(Coordinate.text(left)) \(Coordinate.text(top)))"
    let size = "scale(\(cell) \(height))"
    let parts = values.count <= Self.cellLimit ? singleCells : runs
    return .element("g", ["class": "cells", "transform": place + " " + size], parts)
  }

  private var singleCells: [Markup] {
    zip(values, shades).enumerated().map { place, cell in
      let (value, shade) = cell
      let (row, column) = place.quotientAndRemainder(dividingBy: columns.count)
      let tip = "\(rowTitle) \(rows[row]), \(columnTitle) \(columns[column]): \(format(value))"
      return .element(
        "rect",
        [
          "x": "\(column)", "y": "\(row)", "width": "1", "height": "1",
          "fill": color(shade),
        ], [.element("title", [:], text: tip)])
    }
  }

  /// One path per colour, with the runs along the rows.
  private var runs: [Markup] {
    let shades = shades
    var paths = [String](repeating: "", count: Self.levels)
    for row in rows.indices {
      var start = 0
      while start < columns.count {
        let level = shades[row * columns.count + start]
        var end = start + 1
        while end < columns.count, shades[row * columns.count + end] == level {
          end += 1
        }
        paths[level] += "M\(start) \(row)h\(end - start)v1h-\(end - start)z"
        start = end
      }
    }
    return paths.enumerated().filter { !$0.element.isEmpty }.map {
      .element("path", ["d": $0.element, "fill": color($0.offset)])
    }
  }

  private func legend(left: Double, top: Double, width: Double) -> [Markup] {
    let (low, high) = ends
    let size = min(220, width * 0.55)
    let step = size / Double(Self.levels)
    var parts = (0..<Self.levels).map { level in
      Markup.element(
        "rect",
        [
          "x": Coordinate.text(left + Double(level) * step), "y": Coordinate.text(top),
          "width": Coordinate.text(step + 0.3), "height": "10", "fill": color(level),
          "class": "cells",
        ])
    }
    parts += [
      Draw.text(format(low), x: left, y: top + 25, "soft"),
      Draw.text(format(high), x: left + size, y: top + 25, "soft end"),
      Draw.text(
        Coordinate.fit(valueTitle, in: width - size - 8), x: left + size + 8, y: top + 10, "soft"),
    ]
    return parts
  }

  private var description: String {
    guard let most = values.indices.max(by: { values[$0] < values[$1] }) else { return "Empty." }
    let (row, column) = most.quotientAndRemainder(dividingBy: columns.count)
    return
      "A heat map of \(valueTitle) with \(rows.count) rows (\(rowTitle)) and \(columns.count) columns (\(columnTitle)). The largest number, \(format(values[most])), is in row \(rows[row]), column \(columns[column])."
  }

  private var table: Table {
    guard values.count > Self.tableLimit else {
      return Table(
        ["\(rowTitle) \\ \(columnTitle)"] + columns,
        rows.enumerated().map { row, name in
          [name]
            + values[row * columns.count..<(row + 1) * columns.count].map { format($0) }
        })
    }
    return Table(
      [rowTitle, "largest: \(columnTitle) (\(valueTitle))"],
      rows.enumerated().map { row, name in
        let part = values[row * columns.count..<(row + 1) * columns.count]
        let top = part.indices.sorted { (part[$0], $1) > (part[$1], $0) }.prefix(3)
        return [
          name,
          top.map { "\(columns[$0 - row * columns.count]) (\(format(part[$0])))" }
            .joined(separator: ", "),
        ]
      }, wordColumns: 2)
  }
}
