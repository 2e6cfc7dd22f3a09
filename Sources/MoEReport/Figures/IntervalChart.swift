public import MoECore

/// Values with the intervals in which they lie, one row per name.
public struct IntervalChart: Sendable {
  /// A value and its interval.
  public struct Row: Sendable {
    /// Its name.
    public var name: String
    /// The value.
    public var value: Double
    /// The lower end.
    public var low: Double
    /// The upper end.
    public var high: Double

    /// Describes a row.
    public init(_ name: String, value: Double, low: Double, high: Double) {
      (self.name, self.value, self.low, self.high) = (name, value, low, high)
    }
  }

  /// The rows, from top to bottom.
  public var rows: [Row]
  /// The title of the values.
  public var valueTitle: String
  /// A value that is marked by a line, and its name.
  public var reference: (value: Double, name: String)?
  /// Formats values.
  public var format: @Sendable (Double) -> String

  /// Collects rows.
  public init(
    _ rows: [Row], valueTitle: String, reference: (value: Double, name: String)? = nil,
    format: @escaping @Sendable (Double) -> String = NumberText.short
  ) {
    (self.rows, self.valueTitle) = (rows, valueTitle)
    (self.reference, self.format) = (reference, format)
  }

  private static let rowHeight = 34.0

  /// Draws the chart.
  public func figure(_ title: String, note: String = "") -> Figure {
    let width = Figure.commonWidth
    let bottom = Double(rows.count) * Self.rowHeight + 10
    let all = rows.flatMap { [$0.low, $0.high, $0.value] } + (reference.map { [$0.value] } ?? [])
    let x = Axis(all, from: 24, to: width - 24)
    var parts = x.ticks.flatMap { tick in
      [
        Draw.line((x.place(tick), 4), (x.place(tick), bottom), "grid"),
        Draw.text(
          ChartFrame.trimmed(format(tick)), x: x.place(tick), y: bottom + 16, "soft middle"),
      ]
    }
    if let reference {
      parts.append(
        Draw.line((x.place(reference.value), 4), (x.place(reference.value), bottom), "mark"))
    }
    for (place, row) in rows.enumerated() {
      let y = Double(place) * Self.rowHeight + 26
      let tip = "\(row.name): \(format(row.value)), \(format(row.low)) to \(format(row.high))"
      parts.append(Draw.text(Coordinate.fit(row.name, in: width - 8), x: 4, y: y - 9, "halo"))
      parts.append(
        Draw.box(
          x: x.place(row.low), y: y - 2, width: x.place(row.high) - x.place(row.low), height: 4,
          "f0", tip: tip))
      parts.append(
        .element(
          "circle",
          [
            "cx": Coordinate.text(x.place(row.value)), "cy": Coordinate.text(y), "r": "5",
            "class": "f0",
          ], [.element("title", [:], text: tip)]))
    }
    let ending = valueTitle + (reference.map { "; the line is \($0.name)" } ?? "")
    parts.append(Draw.text(ending, x: width / 2, y: bottom + 34, "soft middle"))
    return Figure(
      title, description: description, note: note, table: table, width: width,
      height: bottom + 42, drawing: .joined(parts))
  }

  private var description: String {
    "\(valueTitle): "
      + rows.map { "\($0.name) \(format($0.value)), from \(format($0.low)) to \(format($0.high))" }
      .joined(separator: "; ") + "."
  }

  private var table: Table {
    Table(
      ["name", valueTitle, "from", "to"],
      rows.map { [$0.name, format($0.value), format($0.low), format($0.high)] })
  }
}
