import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@testable import MoETraining

@Suite("Metrics")
struct MetricsTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func metrics(_ step: Int) -> StepMetrics {
    let routing = LayerRouting(load: ExpertLoad(tokens: [3, 1]), entropy: 0.5, droppedShare: 0.25)
    return StepMetrics(
      step: step, epoch: 0, units: 64, loss: 1 / Double(step),
      parts: [NamedValue("cross_entropy", 2 / Double(step))], learningRate: 1e-3, gradientNorm: 0.5,
      routing: [routing, routing], died: [], deadCount: 0, seconds: 0.5)
  }

  @Test("the tables hold every step, and their layers now and then")
  func tables() throws {
    let log = try CSVLog(folder.path, routingInterval: 2)
    for step in 1...4 { try log.record(metrics(step)) }
    try log.record(evaluation: [NamedValue("loss", 1.5)], step: 4)
    let lines = try text("metrics.csv").split(separator: "\n")
    #expect(
      lines[0]
        == "step,epoch,units,loss,cross_entropy,learning_rate,gradient_norm,imbalance,entropy,dropped_share,idle_experts,dead_experts,units_per_second"
    )
    #expect(lines[3] == "3,0,64,\(1 / 3.0),\(2 / 3.0),0.001,0.5,1.5,0.5,0.25,0,0,128")
    #expect(
      try text("routing.csv").split(separator: "\n").map(String.init)
        == ["step,layer,entropy,dropped_share,imbalance,load"]
        + [1, 2, 4].flatMap { ["\($0),0,0.5,0.25,1.5,3 1", "\($0),1,0.5,0.25,1.5,3 1"] })
    #expect(try text("evaluation.csv") == "step,loss\n4,1.5\n")
  }

  @Test("a table that continues drops rows after the checkpoint", arguments: [true, false])
  func continued(isTorn: Bool) throws {
    let log = try CSVLog(folder.path)
    for step in 1...5 { try log.record(metrics(step)) }
    if isTorn { try GrowingFile(folder.file("metrics.csv")).append(Array("3,0,6".utf8)) }
    let again = try CSVLog(folder.path, continuingAfter: 3)
    for step in 4...5 { try again.record(metrics(step)) }
    let whole = try TemporaryFolder()
    let expected = try CSVLog(whole.path)
    for step in 1...5 { try expected.record(metrics(step)) }
    #expect(try readBytes(folder.file("metrics.csv")) == readBytes(whole.file("metrics.csv")))
    _ = try CSVLog(folder.path)
    #expect(folder.file("metrics.csv").isMissing)
  }

  private func text(_ name: String) throws -> String {
    String(decoding: try readBytes(folder.file(name)), as: UTF8.self)
  }

  /// Bytes that TensorBoard's writer (2.21, `RecordWriter`) makes of the same message.
  @Test("event records are those of TensorBoard")
  func record() throws {
    var event = ProtobufMessage()
    event.append(1, double: 1.5)
    event.append(2, integer: 300)
    var scalar = ProtobufMessage()
    scalar.append(1, text: "train/loss")
    scalar.append(2, float: 0.25)
    var summary = ProtobufMessage()
    summary.append(1, message: scalar)
    event.append(5, message: summary)
    let digits = EventFile.record(event.bytes).map {
      ($0 < 16 ? "0" : "") + String($0, radix: 16)
    }
    #expect(
      digits.joined()
        == "2100000000000000017becf609000000000000f83f10ac022a130a110a0a747261696e2f6c6f7373150000803e6557981f"
    )
  }

  @Test("an event file can be decoded again, and continues a run")
  func eventFile() throws {
    let log = try TensorBoardLog(folder.path, continuingAfter: 6, routingInterval: 1)
    try log.record(metrics(7))
    try log.record(evaluation: [NamedValue("loss", 1.5)], step: 7)
    let name = try #require(try folder.contents().first)
    #expect(name.hasPrefix("events.out.tfevents."))
    let events = try DecodedEvents(readBytes(folder.file(name))).events
    #expect(events.count == 4)
    #expect(events[0].version == "brain.Event:2" && events[0].step == 0)
    #expect(events[1].startsSession && events[1].step == 7)
    #expect(events[2].step == 7 && events[2].scalars["train/loss"] == Float(1 / 7.0))
    #expect(events[2].scalars["routing/layer_1/imbalance"] == 1.5)
    #expect(events[3].scalars == ["evaluation/loss": 1.5])
  }

  @Test("tables that are not text are refused by file and line")
  func notText() throws {
    let bytes = Array("step,loss\n1,2\n".utf8) + [0xFF, 0x0A]
    let path = try folder.write(bytes, to: "metrics.csv")
    #expect(throws: TrainingError.invalidTable(path: path, line: 3)) {
      try CSVLog(folder.path, continuingAfter: 1)
    }
    #expect(try readBytes(path) == bytes)
  }
}

/// A slow, plain decoder of event files.
private struct DecodedEvents {
  struct Event {
    var step = 0
    var version: String?
    var startsSession = false
    var scalars: [String: Float] = [:]
  }

  var events: [Event] = []

  init(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let length = rest.prefix(8)
      let count = Int(Self.number(length))
      try #require(rest.count >= count + 16)
      #expect(Self.number(rest.dropFirst(8).prefix(4)) == Self.masked(Array(length)))
      let message = Array(rest.dropFirst(12).prefix(count))
      #expect(Self.number(rest.dropFirst(12 + count).prefix(4)) == Self.masked(message))
      events.append(try Self.event(message))
      rest = rest.dropFirst(16 + count)
    }
  }

  private static func masked(_ bytes: [UInt8]) -> UInt64 {
    let crc = CRC32C.checksum(bytes)
    return UInt64((crc >> 15 | crc << 17) &+ 0xA282_EAD8)
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Fields of a message: numbers, or the bytes of texts and messages.
  private static func fields(
    _ bytes: [UInt8]
  ) throws -> [(field: Int, number: UInt64, bytes: [UInt8])] {
    var (rest, result) = (bytes[...], [(field: Int, number: UInt64, bytes: [UInt8])]())
    func varint() -> UInt64 {
      var (value, shift) = (UInt64(0), UInt64(0))
      while let byte = rest.popFirst() {
        value |= UInt64(byte & 0x7F) << shift
        if byte < 0x80 { break }
        shift += 7
      }
      return value
    }
    while !rest.isEmpty {
      let key = varint()
      var entry = (field: Int(key >> 3), number: UInt64(0), bytes: [UInt8]())
      switch key & 7 {
      case 0: entry.number = varint()
      case 1, 5:
        let size = key & 7 == 1 ? 8 : 4
        entry.number = number(rest.prefix(size))
        rest = rest.dropFirst(size)
      default:
        let size = Int(varint())
        entry.bytes = Array(rest.prefix(size))
        rest = rest.dropFirst(size)
      }
      result.append(entry)
    }
    return result
  }

  private static func event(_ bytes: [UInt8]) throws -> Event {
    var event = Event()
    for field in try fields(bytes) {
      switch field.field {
      case 2: event.step = Int(field.number)
      case 3: event.version = String(decoding: field.bytes, as: UTF8.self)
      case 5:
        for value in try fields(field.bytes) {
          let parts = try fields(value.bytes)
          let tag = String(decoding: parts[0].bytes, as: UTF8.self)
          event.scalars[tag] = Float(bitPattern: UInt32(parts[1].number))
        }
      case 7: event.startsSession = try fields(field.bytes)[0].number == 1
      default: break
      }
    }
    return event
  }
}
