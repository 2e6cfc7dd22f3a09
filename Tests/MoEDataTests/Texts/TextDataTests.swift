@testable import MoEData
import MoETokenizers
import MoECore
@testable import MoEModels
import MoETestSupport
import SystemPackage
import Testing

@Suite("Files with labelled texts")
struct TextDataTests {
  private func read(
    _ text: String, _ format: TextDataFormat, facts: Bool = false
  ) throws -> LabelledTexts {
    let folder = try TemporaryFolder()
    let path = try folder.write(Array(text.utf8), to: "data")
    return try format.read(path, supportingFacts: facts)
  }

  @Test("of AG News are read with quotes, separators and line ends inside values")
  func agNews() throws {
    let text = "\"3\",\"A \"\"b\"\", c\",\"d\ne\"\r\n1,plain\\text\n"
    let found = try read(text, .agNews)
    #expect(found.texts.map(\.first) == ["A \"b\", c d\ne", "plain text"])
    #expect(found.texts.map(\.label) == [2, 0])
    #expect(found.texts.map(\.line) == [1, 3])
  }

  @Test("of AG News may begin with a header, of copies that count classes from 1 or from 0")
  func agNewsHeaders() throws {
    let named = try read("Class Index,Title,Description\n4,a,b\n1,c,d\n", .agNews)
    #expect(named.texts.map(\.first) == ["a b", "c d"] && named.texts.map(\.label) == [3, 0])
    #expect(named.texts.map(\.line) == [2, 3])
    #expect(try read("2,label\n", .agNews).texts.map(\.label) == [1])
    let counted = try read("text,label\na,3\nb,0\n", .agNews)
    #expect(counted.texts.map(\.first) == ["a", "b"] && counted.texts.map(\.label) == [3, 0])
  }

  @Test("of STS-B may have a header, as in GLUE")
  func stsbHeader() throws {
    let found = try read("index\tsentence1\tsentence2\tscore\n0\ta \"\tb\t2.5\n", .stsb)
    #expect(found.texts.map(\.score) == [2.5] && found.texts.map(\.line) == [2])
    #expect(found.texts.map(\.first) == ["a \""] && found.texts.map(\.second) == ["b"])
  }

  @Test("of SST-2 are read by their header, in any order of columns")
  func sst2() throws {
    let found = try read("label\tsentence\r\n0\ta \"b\"\r\n1\tc\r\n", .sst2)
    #expect(found.texts.map(\.first) == ["a \"b\"", "c"] && found.texts.map(\.label) == [0, 1])
    #expect(try read("content\tlabel\nx\t1\n", .sst2).texts.map(\.label) == [1])
  }

  @Test("of STS-B are pairs with scores")
  func stsb() throws {
    let found = try read("g\tf\ty\t1\t2.5\ta\tb\ng\tf\ty\t2\t5.000\tc\td\tx\ty\n", .stsb)
    #expect(found.texts.map(\.score) == [2.5, 5])
    #expect(found.texts.map(\.second) == ["b", "d"])
    #expect(found.target == .score(0...5))
  }

  @Test("of HotpotQA are read as lists and as lines, with and without the sentences that answer")
  func hotpotQA() throws {
    let record =
      #"{"question": "q", "type": "comparison", "supporting_facts": [["T", 1], ["U", 7]], "context": [["T", ["a", " b "]]]}"#
    for text in ["[\(record)]", "\(record)\n\(record)\n"] {
      let found = try read(text, .hotpotQA, facts: true)
      #expect(found.texts[0].label == 1 && found.texts[0].second == "b")
      #expect(try read(text, .hotpotQA).texts[0].second == nil)
    }
  }

  @Test("of HotpotQA may have a list per property, as Hugging Face's copy has")
  func hotpotColumns() throws {
    func record(_ facts: String) -> String {
      #"{"id": "5", "question": "q", "answer": "a", "type": "bridge", "level": "hard", "supporting_facts": \#(facts), "context": {"title": ["T", "U"], "sentences": [["a", " b "], ["c"]]}}"#
    }
    let good = record(#"{"title": ["T", "U", "V"], "sent_id": [1, 0, 0]}"#)
    for text in ["[\(good)]", good + "\n"] {
      let found = try read(text, .hotpotQA, facts: true)
      #expect(found.texts[0].label == 0 && found.texts[0].second == "b c")
      #expect(try read(text, .hotpotQA).texts[0].second == nil)
    }
    for facts in [#"{"title": ["T"], "sent_id": []}"#, #"{"title": ["T"]}"#, "7"] {
      #expect(throws: DataError.self) {
        _ = try read(record(facts) + "\n", .hotpotQA, facts: true)
      }
    }
  }

  @Test("of tables have the class that their label names, whatever space is around it")
  func labelSpace() throws {
    let found = try read(
      "text,label\nHello,spam\nWorld,ham\nMore, spam\nLast,ham \nTab,\"\tham\u{A0}\"\n", .table)
    #expect(found.target == .classes(["ham", "spam"]))
    #expect(found.texts.map(\.label) == [1, 0, 1, 0, 0])
    // A model may have been trained on classes with such names.
    let folder = try TemporaryFolder()
    let path = try folder.write(Array("text,label\na, x\nb,x\nc,y \n".utf8), to: "t.csv")
    let known = try TextDataFormat.table.read(path, classes: [" x", "x", "y"])
    #expect(known.texts.map(\.label) == [0, 1, 2])
  }

  @Test("are quoted where a table's value needs it")
  func quoting() throws {
    // Combining marks make one character of themselves and what is before them; CRLF is one, too.
    let values = [
      "a", "a, b", "say \"x\"", "two\nlines", " b", "", "c\r", "\"\u{301}", "a\"\u{FE0F}b",
      "a,\u{301}",
      "two\r\nlines", " \u{301}b", "b \u{301}", "\r\n", "\"",
    ]
    let row = values.map(SeparatedValues.quoted).joined(separator: ",")
    #expect(row.hasPrefix("a,\"a, b\",\"say \"\"x\"\"\","))
    let folder = try TemporaryFolder()
    let path = try folder.write(Array((row + "\n").utf8), to: "row.csv")
    #expect(try SeparatedValues(path: path, format: .commas).rows()[0].values == values)
  }

  /// A broken file, its format, the line to be named, and a word of the message.
  private static let broken: [(String, TextDataFormat, Int, String)] = [
    ("1,a\n\"2\",\"b\n", .agNews, 2, "quote"), ("1,a\"b\n", .agNews, 1, "quote"),
    ("1,\"a\"b\n", .agNews, 1, "quote"), ("1,a\n2\n", .agNews, 2, "has 1 column;"),
    ("1,a,b,c\n", .agNews, 1, "columns"), ("1,a\n5,b\n", .agNews, 2, "class"),
    ("x,a\n", .agNews, 1, "class"), ("1,a\n2, \n", .agNews, 2, "empty"),
    ("Class Index,Title\n0,a\n", .agNews, 2, "1 to 4"), ("label,text\n4,a\n", .agNews, 2, "0 to 3"),
    ("Class Index,Title,Description\n1,a\n", .agNews, 2, "columns"),
    ("sentence1\tsentence2\na\tb\n", .stsb, 1, "'score'"),
    ("sentence1\tsentence2\tscore\na\tb\n", .stsb, 2, "the header has 3"),
    ("1,\"a\n\nb\"\n9,c\n", .agNews, 4, "class"), ("0\ta\n", .sst2, 1, "header"),
    ("label\tsentence\n0\ta\n2\tb\n", .sst2, 3, "label"),
    ("label\tsentence\n0\ta\tb\n", .sst2, 2, "columns"),
    ("label\tsentence\n0\t\n", .sst2, 2, "empty"),
    ("a\tb\tc\td\t5.5\te\tf\n", .stsb, 1, "score"), ("a\tb\tc\td\tnan\te\tf\n", .stsb, 1, "score"),
    ("a\tb\tc\td\t-1\te\tf\n", .stsb, 1, "score"), ("a\tb\tc\td\t1\te\n", .stsb, 1, "columns"),
    ("a\tb\tc\td\t1\te\t \n", .stsb, 1, "empty"), ("{\"question\": \"a\"}\n", .hotpotQA, 1, "type"),
    ("{\"question\": \"a\", \"type\": \"other\"}\n", .hotpotQA, 1, "other"),
    ("{\"question\": \" \", \"type\": \"bridge\"}\n", .hotpotQA, 1, "empty"),
    ("[1, 2", .hotpotQA, 1, "broken"), ("label\tsentence\n0\n", .sst2, 2, "has 1 column;"),
    (
      #"{"question": "a", "type": "bridge", "supporting_facts": {"title": ["T", "U"], "sent_id": [1]}}"#
        + "\n", .hotpotQA, 1, "has 2 titles, but 1 of 'sent_id', in 'supporting_facts'"
    ),
    (
      #"{"question": "a", "type": "bridge", "context": {"title": ["T"], "sentences": []}}"# + "\n",
      .hotpotQA, 1, "has 1 title, but 0 of 'sentences', in 'context'"
    ),
  ]

  @Test("that are broken are refused by file, line and reason", arguments: broken.indices)
  func refused(number: Int) throws {
    let (text, format, line, word) = Self.broken[number]
    let error = #expect(throws: DataError.self) { _ = try read(text, format) }
    let message = error?.description ?? ""
    #expect(message.contains("/data: line \(line) ") && message.contains(word), "\(message)")
  }

  @Test("with custom classes are tables with a header, whose labels are the classes")
  func table() throws {
    let folder = try TemporaryFolder()
    func read(
      _ text: String, _ name: String = "t.csv", _ classes: [String]? = nil
    ) throws
      -> LabelledTexts
    {
      let path = try folder.write(Array(text.utf8), to: name)
      return try TextDataFormat.table.read(path, classes: classes)
    }
    let words = try read("id,label,text\n1,spam,\"a, b\"\n2,ham,c\n")
    #expect(words.target == .classes(["ham", "spam"]) && words.texts.map(\.label) == [1, 0])
    #expect(words.texts.map(\.first) == ["a, b", "c"] && words.texts[0].second == nil)
    let numbers = try read("text\tpair\tlabel\na\tb\t10\nc\td\t9\n", "t.tsv")
    #expect(numbers.target == .classes(["9", "10"]) && numbers.texts.map(\.label) == [1, 0])
    #expect(numbers.texts.map(\.second) == ["b", "d"])
    #expect(try read("text,label\na,x\n", "t.csv", ["w", "x"]).texts[0].label == 1)
    for (text, line, word) in [
      ("text,class\na,x\n", 1, "'label'"), ("text,label\na\n", 2, "the header has 2"),
      ("text,label\na, \n", 2, "no label"), ("text,label\n ,x\n", 2, "empty"),
      ("text,label\na,w\nb,y\n", 3, "known are w, x"),
    ] {
      let error = #expect(throws: DataError.self) { try read(text, "t.csv", ["w", "x"]) }
      let message = error?.description ?? ""
      #expect(message.contains("line \(line) ") && message.contains(word), "\(message)")
    }
    let many = (0..<1001).map { "a,\($0)" }.joined(separator: "\n")
    #expect(throws: DataError.self) { try read("text,label\n\(many)\n") }
  }

  @Test("of lists are refused by the number of the record")
  func records() throws {
    let good = #"{"question": "a", "type": "bridge"}"#
    for (record, word) in [
      (#"{"type": "bridge"}"#, "no 'question'"),
      (#"{"question": 3, "type": "bridge"}"#, "'question'"),
      (#"{"question": "a", "type": "other"}"#, "'other'"),
      (#"{"question": "", "type": "bridge"}"#, "empty"), ("7", "an unexpected value"),
    ] {
      let error = #expect(throws: DataError.self) {
        _ = try read("[\(good),\n\n\(record)]", .hotpotQA)
      }
      let message = error?.description ?? ""
      #expect(message.contains("record 2 of the list ") && message.contains(word), "\(message)")
    }
  }

  @Test("of several files are refused by the name of the right one")
  func severalFiles() throws {
    let folder = try TemporaryFolder()
    let first = try folder.write(Array("1,a\n2,b\n".utf8), to: "first.csv")
    let second = try folder.write(Array("3,c\n4,\u{1}\n".utf8), to: "second.csv")
    let joined = LabelledTexts(
      joining: try [first, second].map { try TextDataFormat.agNews.read($0) })
    #expect(joined.texts.map(\.file) == [0, 0, 1, 1] && joined.paths == [first, second])
    let tokenizer = try folder.write(try SyntheticTexts.tokenizerJSON(), to: "tokenizer.json")
    let preparation = TextPreparation(try Tokenizer(tokenizer), limit: 8)
    let error = #expect(throws: DataError.self) {
      _ = try ClassificationSet(joined, with: preparation)
    }
    #expect(error?.description.contains("second.csv: line 2 has a text without tokens") ?? false)
  }

  @Test("without any text are refused")
  func noTexts() throws {
    #expect(throws: DataError.self) { try read("label\tsentence\n", .sst2) }
    #expect(throws: DataError.self) { try read("[]", .hotpotQA) }
    #expect(throws: DataError.self) { try read("Class Index,Title\n", .agNews) }
  }

  @Test("that are empty or not UTF-8 are refused")
  func notText() throws {
    let folder = try TemporaryFolder()
    let empty = try folder.write([], to: "empty")
    #expect(throws: DataError.empty(empty)) { _ = try TextDataFormat.agNews.read(empty) }
    let blank = try folder.write(Array("\n\n".utf8), to: "blank")
    #expect(throws: DataError.empty(blank)) { _ = try TextDataFormat.agNews.read(blank) }
    for format in TextDataFormat.allCases {
      let path = try folder.write(Array("1,a\n2,".utf8) + [0xFF, 0x0A], to: "latin")
      let error = #expect(throws: DataError.self) { _ = try format.read(path) }
      #expect(error?.description.contains("line 2 is not UTF-8") ?? false)
    }
  }

  @Test("never crash the program, whatever is changed in them")
  func fuzz() throws {
    let folder = try TemporaryFolder()
    var generator = SeededGenerator(seed: 5)
    let seeds: [(String, TextDataFormat)] = [
      ("\"3\",\"A \"\"b\"\", c\",\"d\ne\"\r\n1,plain\n", .agNews),
      ("label\tsentence\r\n0\ta\r\n", .sst2), ("g\tf\ty\t1\t2.5\ta\tb\n", .stsb),
      (#"[{"question": "q", "type": "bridge"}]"#, .hotpotQA),
    ]
    for (text, format) in seeds {
      for _ in 0..<100 {
        var bytes = Array(text.utf8)
        for _ in 0..<3 {
          let place = Int(generator.next() % UInt64(bytes.count))
          bytes[place] = Array("\",\n\r\t[]{}0\u{1}".utf8)[Int(generator.next() % 11)]
        }
        let path = try folder.write(bytes, to: "fuzz")
        do { _ = try format.read(path, supportingFacts: true) } catch is DataError {}
      }
    }
  }

  @Test(
    "of one class are rejected; samples keep the proportions of classes and depend only on the seed"
  )
  func samples() throws {
    var rows = ""
    for number in 0..<100 { rows += "\(number < 70 ? 1 : number < 90 ? 2 : 4),text \(number)\n" }
    let all = try read(rows, .agNews)
    let (chosen, rest) = try all.sample(51, seed: 3)
    let counts = (0..<4).map { label in chosen.texts.count { $0.label == label } }
    #expect(counts == [36, 10, 0, 5] && rest.texts.count == 49)
    #expect(Set(chosen.texts).isDisjoint(with: rest.texts))
    #expect(try all.sample(51, seed: 3).chosen.texts == chosen.texts)
    #expect(try all.sample(51, seed: 4).chosen.texts != chosen.texts)
    #expect(throws: DataError.self) { _ = try all.sample(101, seed: 0) }
    let one = try read("1,a\n1,b\n", .agNews)
    #expect(throws: DataError.singleClass(one.path, name: "World")) { try one.checkVariety() }
  }

  private static let shared = Fixtures.package.removingLastComponent().appending("shared/data")
  private static let hasData = (try? shared.appending("ag_news/test.csv").stat()) != nil

  @Test(
    "of the published sets are read completely",
    .enabled(if: hasData, "needs the development data in ../shared/data"))
  func published() throws {
    let sizes: [(String, TextDataFormat, Int)] = [
      ("ag_news/test.csv", .agNews, 7_600),
      ("ag_news/train_subset_title_desc.csv", .agNews, 22_594),
      ("sst2/train.tsv", .sst2, 67_349), ("sst2/dev.tsv", .sst2, 872),
      ("stsb/sts-train.csv", .stsb, 5_749), ("stsb/sts-dev.csv", .stsb, 1_500),
      ("hotpotqa/hotpot_dev_v1_simplified_7405.json", .hotpotQA, 7_405),
      ("hotpotqa/hotpot_500_distractor.jsonl", .hotpotQA, 500),
    ]
    for (name, format, count) in sizes {
      let found = try format.read(Self.shared.appending(name))
      #expect(found.texts.count == count, "\(name)")
    }
    let small = Self.shared.appending("hotpotqa/hotpot_train_100_distractor.json")
    let texts = try TextDataFormat.hotpotQA.read(small, supportingFacts: true).texts
    #expect(texts.allSatisfy { $0.second?.isEmpty == false })
  }
}

@Suite("Synthetic texts")
struct SyntheticTextTests {
  @Test("have all classes and kinds equally often, and depend only on the seed")
  func counts() {
    let made = SyntheticTexts.make(800, seed: 1)
    for kind in 0..<2 {
      for label in 0..<4 {
        #expect(made.texts.count { $0.kind == kind && $0.label == label } == 100)
      }
    }
    #expect(made.texts == SyntheticTexts.make(800, seed: 1).texts)
    #expect(made.texts != SyntheticTexts.make(800, seed: 2).texts)
    #expect(made.texts.allSatisfy { 10...16 ~= $0.first.split(separator: " ").count })
  }

  @Test("of the temporal kind hold the same events whatever the class, the class's first")
  func temporal() {
    let events = ["knock", "whistle", "bark", "ring"]
    for text in SyntheticTexts.make(400, seed: 3).texts where text.kind == 1 {
      let found = text.first.split(separator: " ").map(String.init).filter(events.contains)
      #expect(Set(found) == Set(events) && found.count == 4)
      #expect(found.first == events[text.label])
    }
  }

  @Test("are whole words to their tokenizer, between the special tokens of a text")
  func tokenizer() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(try SyntheticTexts.tokenizerJSON(), to: "tokenizer.json")
    let tokenizer = try Tokenizer(path)
    for text in SyntheticTexts.make(100, seed: 3).texts {
      let ids = tokenizer.encode(text.first)
      #expect(ids.first == 1 && ids.last == 2 && !ids.contains(3))
      #expect(ids.count == text.first.split(separator: " ").count + 2)
    }
  }
}

@Suite("Texts for encoders")
struct TextPreparationTests {
  private static func preparation(_ limit: Int) throws -> TextPreparation {
    let folder = try TemporaryFolder()
    let path = try folder.write(try SyntheticTexts.tokenizerJSON(), to: "tokenizer.json")
    return TextPreparation(try Tokenizer(path), limit: limit)
  }

  @Test("are surrounded by special tokens, pairs separated by one, and truncated at the limit")
  func pairs() throws {
    let preparation = try Self.preparation(8)
    let one = try #require(preparation("rain cloud"))
    #expect(one.text.ids.count == 4 && one.text.secondStart == 4 && !one.isTruncated)
    let pair = try #require(preparation("rain", "cloud storm"))
    #expect(pair.text.ids.count == 6 && pair.text.secondStart == 3)
    #expect(pair.text.ids[0] == 1 && pair.text.ids[2] == 2 && pair.text.ids[5] == 2)
    let long = try #require(preparation("rain rain rain rain rain rain rain rain"))
    #expect(long.text.ids.count == 8 && long.isTruncated && long.text.ids.last == 2)
    // Five tokens remain; the longer text is shortened first, and keeps the odd one.
    let uneven = try #require(preparation("rain cloud", "storm storm storm storm storm storm"))
    #expect(uneven.text.ids.count == 8 && uneven.text.secondStart == 4 && uneven.isTruncated)
    #expect(preparation("\u{1}") == nil && preparation("rain", " ") == nil)
  }

  /// The expected numbers are those of the tokenizers library 0.23 with `longest_first`.
  @Test(
    "of which both are too long share the space, and the longer one has the odd token",
    arguments: [
      ([9, 7], 5, [3, 2]), ([7, 9], 5, [2, 3]), ([8, 8], 5, [2, 3]), ([9, 7], 6, [3, 3]),
      ([2, 9], 5, [2, 3]), ([9, 2], 5, [3, 2]), ([3, 4], 5, [2, 3]), ([4, 3], 5, [3, 2]),
      ([1, 9], 7, [1, 6]), ([9, 1], 7, [6, 1]), ([3, 4], 7, [3, 4]), ([9, 9], 1, [0, 1]),
      ([9, 8], 1, [1, 0]), ([9], 5, [5]), ([3], 5, [3]),
    ] as [([Int], Int, [Int])])
  func oddSpace(_ counts: [Int], _ space: Int, _ expected: [Int]) {
    #expect(TextPreparation.lengths(of: counts, in: space) == expected)
  }
}
