public import MoECore

/// Numbers of named things as bars: side by side if names are short, in rows if they are words.
public struct BarChart: Sendable {
  /// The names.
  public var names: [String]
  /// One or more values per name.
  public var series: [(name: String, values: [Double])]
  /// The title of the names.
  public var nameTitle: String
  /// The title of the values.
  public var valueTitle: String
  /// A reference value that is marked by a line, and its name.
  public var reference: (value: Double, name: String)?
  /// Formats values.
  public var format: @Sendable (Double) -> String

  /// Collects values.
  public init(
    _ names: [String], _ series: [(name: String, values: [Double])], nameTitle: String,
    valueTitle: String, reference: (value: Double, name: String)? = nil,
    format: @escaping @Sendable (Double) -> String = NumberText.short
  ) {
    (self.names, self.series) = (names, series)
    (self.nameTitle, self.valueTitle) = (nameTitle, valueTitle)
    (self.reference, self.format) = (reference, format)
  }

  /// Draws vertical bars.
  public func figure(_ title: String, note: String = "") -> Figure {
    let width = Figure.commonWidth
    let legend = Legend(series.map(\.name), lines: false, left: 2, top: 0, width: width - 8)
    let top = legend.height + 32
    let bottom = top + 200
    let values = series.flatMap(\.values) + (reference.map { [$0.value] } ?? [])
    let y = Axis(values, from: bottom, to: top, fromZero: true)
    let left = (y.ticks.map { Coordinate.width(format($0)) }.max() ?? 20) + 12
    let step = (width - 10 - left) / Double(max(1, names.count))
    let x = Axis([0, 1], from: left, to: width - 10)
    let centres = names.enumerated().map { (left + (Double($0) + 0.5) * step, $1) }
    var parts = legend.markup
    parts += ChartFrame(x: x, y: y).markup(
      xTitle: nameTitle, yTitle: valueTitle, format: format,
      xLabels: ChartFrame.thinned(centres, room: width - left))
    let thickness = step * 0.8 / Double(max(1, series.count))
    for (kind, numbers) in series.enumerated() {
      for (place, value) in numbers.values.enumerated() where value.isFinite {
        let (zero, end) = (y.place(0), y.place(value))
        parts.append(
          Draw.box(
            x: left + Double(place) * step + step * 0.1 + Double(kind) * thickness,
            y: min(zero, end), width: thickness, height: abs(end - zero), "f\(kind % 7)",
            tip: "\(names[place]), \(numbers.name): \(format(value))"))
      }
    }
    if let reference {
      let height = y.place(reference.value)
      parts.append(Draw.line((left, height), (width - 10, height), "mark"))
      parts.append(Draw.text(reference.name, x: width - 12, y: height - 5, "soft end halo"))
    }
    return Figure(
      title, description: description, note: note, table: table, width: width,
      height: bottom + 42, drawing: .joined(parts))
  }

  /// Draws the first series as rows, each with its name above and its value at the end.
  public func rowFigure(_ title: String, note: String = "") -> Figure {
    let width = Figure.commonWidth
    let values = series.first?.values ?? []
    let x = Axis(
      values + (reference.map { [$0.value] } ?? []), from: 4, to: width - 76, fromZero: true,
      roundsEnds: false)
    var parts: [Markup] = []
    for (place, name) in names.enumerated() {
      let y = Double(place) * 42 + 14
      let end = x.place(values[place])
      parts.append(Draw.text(Coordinate.fit(name, in: width - 8), x: 4, y: y))
      parts.append(
        Draw.box(
          x: min(x.place(0), end), y: y + 6, width: abs(end - x.place(0)), height: 14, "f0"))
      parts.append(
        Draw.text(format(values[place]), x: max(end, x.place(0)) + 6, y: y + 18))
    }
    let bottom = Double(names.count) * 42 + 4
    if let reference {
      let place = x.place(reference.value)
      parts.append(Draw.line((place, 18), (place, bottom), "mark"))
      parts.append(Draw.text(reference.name, x: place, y: bottom + 14, "soft middle"))
    }
    return Figure(
      title, description: description, note: note, table: table, width: width,
      height: bottom + (reference == nil ? 4 : 22), drawing: .joined(parts))
  }

  private var description: String {
    let parts = series.map { kind in
      guard let most = kind.values.indices.max(by: { kind.values[$0] < kind.values[$1] }),
        let least = kind.values.indices.min(by: { kind.values[$0] < kind.values[$1] })
      else { return "\(kind.name): nothing" }
      return
        "\(kind.name) is largest for \(names[most]), \(format(kind.values[most])), and smallest for \(names[least]), \(format(kind.values[least]))"
    }
    return "\(valueTitle) by \(nameTitle): \(parts.joined(separator: "; "))."
  }

  private var table: Table {
    Table(
      [nameTitle] + series.map { $0.name.isEmpty ? valueTitle : $0.name },
      names.enumerated().map { row, name in [name] + series.map { format($0.values[row]) } })
  }
}
