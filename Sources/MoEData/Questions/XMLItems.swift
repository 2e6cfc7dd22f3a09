import Foundation
import MoECore
package import SystemPackage

#if canImport(FoundationXML)
import FoundationXML
#endif

/// The elements of one name in an XML file, each as a row: its attributes, and the texts of the elements inside it.
package enum XMLItems {
  /// Reads the elements.
  ///
  /// Nothing outside the file is read, whatever it declares.
  ///
  /// - Parameters:
  ///   - name: The elements' name.
  ///   - path: The file.
  /// - Returns: The rows, in the order of the file.
  /// - Throws: ``DataError`` that names the line, or a `FileError`.
  /// - Complexity: O(bytes).
  package static func rows(named name: String, in path: FilePath) throws -> [QuestionRow] {
    let reader = XMLItemReader(path, name)
    let parser = XMLParser(data: Data(try path.textBytes()))
    parser.shouldResolveExternalEntities = false
    parser.delegate = reader
    let isComplete = parser.parse()
    // Not every error makes the parser's answer false.
    if !isComplete || reader.errorLine != nil {
      throw DataError.invalidLine(
        path, line: max(1, reader.errorLine ?? parser.lineNumber),
        problem: "is not well-formed XML")
    }
    guard !reader.rows.isEmpty else {
      throw DataError.invalidLine(path, line: 1, problem: "begins a file without <\(name)>")
    }
    return reader.rows
  }
}

/// Collects the elements while a parser goes through a file.
private final class XMLItemReader: NSObject, XMLParserDelegate {
  private let path: FilePath
  private let name: String
  private(set) var rows: [QuestionRow] = []
  /// Line of the first error.
  private(set) var errorLine: Int?
  private var open: QuestionRow?
  /// The element directly inside of the open one, and the pieces of its text and of what it holds.
  private var field: (key: String, pieces: [String])?
  /// Elements that are open inside of that element.
  private var depth = 0

  init(_ path: FilePath, _ name: String) { (self.path, self.name) = (path, name) }

  func parser(
    _ parser: XMLParser, didStartElement element: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String] = [:]
  ) {
    if field != nil {
      depth += 1
    } else if open != nil {
      field = (element, [])
    } else if element == name {
      var row = QuestionRow(path: path, line: parser.lineNumber, fields: [:])
      for (key, value) in attributes.sorted(by: { $0.key < $1.key }) {
        row.fields[key] = .string(value)
      }
      open = row
    }
  }

  func parser(_ parser: XMLParser, parseErrorOccurred error: any Error) {
    errorLine = errorLine ?? parser.lineNumber
  }

  func parser(_ parser: XMLParser, foundCharacters text: String) {
    field?.pieces.append(text)
  }

  func parser(
    _ parser: XMLParser, didEndElement element: String, namespaceURI: String?,
    qualifiedName: String?
  ) {
    if depth > 0 {
      depth -= 1
    } else if let (key, pieces) = field {
      open?.fields[key] = .string(pieces.joined())
      field = nil
    } else if let row = open {
      rows.append(row)
      open = nil
    }
  }
}
