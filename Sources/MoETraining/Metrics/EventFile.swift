import Foundation
import MoECore
import SystemPackage

/// An event file for TensorBoard.
///
/// Each record is the length of an `Event` message (u64), the masked CRC-32C of the length, the message, and the
/// masked CRC-32C of the message.
///
/// - SeeAlso: [TFRecord](https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details) and
///   `event.proto` of TensorFlow.
final class EventFile {
  private let file: GrowingFile

  /// Creates a file in a folder, named after the current time.
  ///
  /// - Throws: A `FileError`.
  init(in folder: FilePath, time: Double) throws {
    let name =
      "events.out.tfevents.\(Int(time)).switchyard.\(ProcessInfo.processInfo.processIdentifier)"
    file = try GrowingFile(folder.appending(name))
    var event = Self.event(time: time, step: 0)
    event.append(3, text: "brain.Event:2")
    try append(event)
  }

  /// Records that the run continues after a step: TensorBoard then drops later events of earlier
  /// files.
  func continueRun(after step: Int, time: Double) throws {
    var session = ProtobufMessage()
    session.append(1, integer: 1)  // SessionLog.START
    var event = Self.event(time: time, step: step + 1)
    event.append(7, message: session)
    try append(event)
  }

  /// Appends scalars of a step.
  func append(_ values: [NamedValue], step: Int, time: Double) throws {
    var summary = ProtobufMessage()
    for value in values {
      var scalar = ProtobufMessage()
      scalar.append(1, text: value.name)
      scalar.append(2, float: Float(value.value))
      summary.append(1, message: scalar)
    }
    var event = Self.event(time: time, step: step)
    event.append(5, message: summary)
    try append(event)
  }

  private static func event(time: Double, step: Int) -> ProtobufMessage {
    var event = ProtobufMessage()
    event.append(1, double: time)
    if step != 0 { event.append(2, integer: Int64(step)) }
    return event
  }

  private func append(_ event: ProtobufMessage) throws { try file.append(Self.record(event.bytes)) }

  /// A message between its length and checksums.
  static func record(_ message: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(message.count), bytes: 8)
    return length + littleEndian(UInt64(maskedChecksum(length)), bytes: 4) + message
      + littleEndian(UInt64(maskedChecksum(message)), bytes: 4)
  }

  /// The masked checksum: rotated, plus a constant, so that checksums of checksums are safe.
  static func maskedChecksum(_ bytes: [UInt8]) -> UInt32 {
    let crc = CRC32C.checksum(bytes)
    return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
  }

  private static func littleEndian(_ value: UInt64, bytes: Int) -> [UInt8] {
    (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
  }
}
