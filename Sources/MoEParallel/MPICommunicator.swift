#if MPI
import CMPI

/// The ranks that `mpirun` started, connected by MPI.
public final class MPICommunicator: Communicator {
  /// This process's number, from 0 to `size - 1`.
  public let rank: Int
  /// Number of processes.
  public let size: Int

  /// Whether this program was built with MPI.
  public static let isBuiltIn = true

  /// Joins the group; a process that `mpirun` did not start is a group of its own.
  ///
  /// MPI can be started once per process. It ends when this object goes.
  ///
  /// - Throws: ``CommunicationError/transportFailed(operation:message:)``.
  public init() throws(CommunicationError) {
    try Self.check("start", cmpi_is_started() != 0 ? MPI_ERR_OTHER : cmpi_start())
    var rank: CInt = 0
    var size: CInt = 0
    try Self.check("rank", unsafe cmpi_rank(&rank))
    try Self.check("size", unsafe cmpi_size(&size))
    (self.rank, self.size) = (Int(rank), Int(size))
  }

  deinit { _ = cmpi_finish() }

  /// Name and version of the MPI library.
  public static func version() throws(CommunicationError) -> String {
    unsafe try text(capacity: Int(CMPI_VERSION_CAPACITY)) { unsafe cmpi_version($0, $1) }
  }

  /// Waits until every rank has come here.
  ///
  /// - Throws: ``CommunicationError/transportFailed(operation:message:)``.
  public func barrier() throws(CommunicationError) {
    try Self.check("barrier", cmpi_barrier())
  }

  /// Sends a share to every rank, itself included, and receives one from each.
  ///
  /// - Throws: ``CommunicationError``.
  public func allToAll(_ shares: [[UInt8]]) throws(CommunicationError) -> [[UInt8]] {
    guard shares.count == size else { throw .wrongShareCount(shares: shares.count, ranks: size) }
    let sent = try Layout(shares.map(\.count))
    var counts = [CInt](repeating: 0, count: size)
    try Self.check("exchange of counts", unsafe cmpi_exchange_counts(sent.counts, &counts))
    let received = try Layout(counts.map(Int.init))
    var bytes = [UInt8](repeating: 0, count: received.total)
    let status = unsafe cmpi_exchange_bytes(
      shares.flatMap(\.self), sent.counts, sent.offsets, &bytes, received.counts, received.offsets)
    try Self.check("exchange of bytes", status)
    return received.ranges.map { Array(bytes[$0]) }
  }

  /// Where shares lie when they follow one another.
  private struct Layout {
    var counts: [CInt]
    var offsets: [CInt]
    var total: Int

    init(_ lengths: [Int]) throws(CommunicationError) {
      total = lengths.reduce(0, +)
      guard total <= Int(CInt.max) else { throw .tooManyBytes(total) }
      counts = lengths.map { CInt($0) }
      var next: CInt = 0
      offsets = counts.map { count in
        defer { next += count }
        return next
      }
    }

    var ranges: [Range<Int>] { zip(offsets, counts).map { Int($0)..<Int($0 + $1) } }
  }

  private static func check(_ operation: String, _ code: CInt) throws(CommunicationError) {
    guard code != 0 else { return }
    let message = unsafe try? text(capacity: Int(CMPI_ERROR_CAPACITY)) {
      unsafe cmpi_error_text(code, $0, $1)
    }
    throw .transportFailed(operation: operation, message: message ?? "error \(code)")
  }

  private static func text(
    capacity: Int, _ write: (UnsafeMutablePointer<CChar>, CInt) -> CInt
  ) throws(CommunicationError) -> String {
    let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: capacity)
    defer { unsafe buffer.deallocate() }
    let code = unsafe write(buffer, CInt(capacity))
    guard code == 0 else { throw .transportFailed(operation: "text", message: "error \(code)") }
    return unsafe String(cString: buffer)
  }
}
#else
/// The ranks that `mpirun` started; this build has no MPI, so there is no way to join them.
public enum MPICommunicator {
  /// Whether this program was built with MPI.
  public static let isBuiltIn = false

  /// Name and version of the MPI library.
  ///
  /// - Throws: ``CommunicationError/notBuiltIn``.
  public static func version() throws(CommunicationError) -> String { throw .notBuiltIn }
}
#endif
