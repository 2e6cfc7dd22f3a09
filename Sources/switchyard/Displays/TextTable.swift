/// Text in columns, the first ones aligned left and the last one right.
struct TextTable {
  var header: [String]
  var rows: [[String]]

  var text: String {
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      let cells = zip(row, widths).enumerated().map { column, cell in
        let space = String(repeating: " ", count: cell.1 - cell.0.count)
        return column == header.count - 1 ? space + cell.0 : cell.0 + space
      }
      return cells.joined(separator: "  ")
    }.joined(separator: "\n")
  }
}
