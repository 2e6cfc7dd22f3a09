public import MoECore

/// Numbers along an axis, as lines or as dots.
public struct LineChart: Sendable {
  /// A line, or a set of dots.
  public struct Series: Sendable {
    /// Its name in the legend.
    public var name: String
    /// Its points; non-finite values leave a gap.
    public var points: [(x: Double, y: Double)]
    /// Whether the points are drawn as separate dots.
    public var isDotted: Bool

    /// Names a series of points.
    public init(_ name: String, _ points: [(x: Double, y: Double)], isDotted: Bool = false) {
      (self.name, self.points, self.isDotted) = (name, points, isDotted)
    }
  }

  /// The series; at most seven are distinguishable.
  public var series: [Series]
  /// The title of the horizontal axis.
  public var xTitle: String
  /// The title of the vertical axis.
  public var yTitle: String
  /// Whether the vertical axis includes 0.
  public var startsAtZero: Bool
  /// Whether the horizontal axis is logarithmic.
  public var isLogarithmic: Bool
  /// A reference value that is marked by a horizontal line, and its name.
  public var reference: (value: Double, name: String)?
  /// Formats vertical values.
  public var format: @Sendable (Double) -> String

  /// Collects series.
  public init(
    _ series: [Series], xTitle: String, yTitle: String, startsAtZero: Bool = true,
    isLogarithmic: Bool = false, reference: (value: Double, name: String)? = nil,
    format: @escaping @Sendable (Double) -> String = NumberText.short
  ) {
    (self.series, self.xTitle, self.yTitle) = (series, xTitle, yTitle)
    (self.startsAtZero, self.isLogarithmic) = (startsAtZero, isLogarithmic)
    (self.reference, self.format) = (reference, format)
  }

  /// Draws the chart.
  public func figure(_ title: String, note: String = "") -> Figure {
    let width = Figure.commonWidth
    let legend = Legend(
      series.map(\.name), lines: !series.allSatisfy(\.isDotted), left: 2, top: 0, width: width - 8)
    let top = legend.height + 32
    let bottom = top + 200
    let values = series.flatMap { $0.points.map(\.y) } + (reference.map { [$0.value] } ?? [])
    let y = Axis(values, from: bottom, to: top, fromZero: startsAtZero)
    let left = (y.ticks.map { Coordinate.width(format($0)) }.max() ?? 20) + 12
    let x = Axis(
      series.flatMap { $0.points.map(\.x) }, from: left + 6, to: width - 24,
      isLogarithmic: isLogarithmic, roundsEnds: false)
    let frame = ChartFrame(x: x, y: y)
    let labels = ChartFrame.thinned(
      x.ticks.map { (x.place($0), ChartFrame.trimmed(NumberText.short($0))) }, room: width - left)
    var parts = legend.markup
    parts += frame.markup(xTitle: xTitle, yTitle: yTitle, format: format, xLabels: labels)
    for (place, line) in series.enumerated() { parts += Self.drawn(line, place % 7, frame, format) }
    if let reference {
      let height = y.place(reference.value)
      parts.append(Draw.line((left, height), (width - 10, height), "mark"))
      parts.append(Draw.text(reference.name, x: width - 12, y: height - 5, "soft end halo"))
    }
    return Figure(
      title, description: description, note: note, table: table, width: width,
      height: bottom + 42, drawing: .joined(parts))
  }

  private static func drawn(
    _ line: Series, _ color: Int, _ frame: ChartFrame, _ format: (Double) -> String
  ) -> [Markup] {
    let points = line.points.map { (x: frame.x.place($0.x), y: frame.y.place($0.y)) }
    let isShown = line.points.map { $0.x.isFinite && $0.y.isFinite }
    var parts: [Markup] = []
    if !line.isDotted {
      var path = ""
      for (place, point) in points.enumerated() where isShown[place] {
        let starts = place == 0 || !isShown[place - 1]
        path += "\(starts ? "M" : "L")\(Coordinate.text(point.x)) \(Coordinate.text(point.y))"
      }
      parts.append(.element("path", ["d": path, "class": "series c\(color)"]))
    }
    guard line.isDotted || points.count <= 60 else { return parts }
    let radius = line.isDotted && points.count > 200 ? "2" : "3"
    for (place, point) in points.enumerated() where isShown[place] {
      let (x, y) = (line.points[place].x, line.points[place].y)
      parts.append(
        .element(
          "circle",
          [
            "cx": Coordinate.text(point.x), "cy": Coordinate.text(point.y), "r": radius,
            "class": line.isDotted ? "dots f\(color)" : "f\(color)",
          ],
          points.count > 1000
            ? []
            : [.element("title", [:], text: "\(line.name), \(NumberText.short(x)): \(format(y))")]
        ))
    }
    return parts
  }

  private var description: String {
    let ranges = series.map { line in
      let values = line.points.map(\.y).filter(\.isFinite)
      return
        "\(line.name) from \(format(values.min() ?? 0)) to \(format(values.max() ?? 0))"
    }
    return "\(yTitle) by \(xTitle): \(ranges.joined(separator: "; "))."
  }

  /// Series with the same x values are columns side by side; others follow one another.
  private var table: Table {
    let places = series.first?.points.map(\.x) ?? []
    guard series.allSatisfy({ $0.points.map(\.x) == places }) else {
      return Table(
        ["series", xTitle, yTitle],
        series.flatMap { line in
          line.points.map { [line.name, NumberText.short($0.x), format($0.y)] }
        })
    }
    return Table(
      [xTitle] + series.map(\.name),
      places.enumerated().map { row, x in
        [NumberText.short(x)] + series.map { format($0.points[row].y) }
      })
  }
}
