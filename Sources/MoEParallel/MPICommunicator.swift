#if MPI
import CMPI

/// The ranks that `mpirun` started, connected by MPI.
public final class MPICommunicator: Communicator {
  /// This process's number, from 0 to `size - 1`.
  public let rank: Int
  /// Number of processes.
  public let size: Int
  private var hasFailed = false

  /// Whether this program was built with MPI.
  public static let isBuiltIn = true

  /// Joins the group; a process that `mpirun` did not start is a group of its own.
  ///
  /// MPI can be started once per process. It ends when this object goes.
  ///
  /// - Throws: ``CommunicationError/transportFailed(operation:message:)``.
  public init() throws(CommunicationError) {
    guard cmpi_was_started() == 0 else { throw .alreadyStarted }
    try Self.check("start", cmpi_start())
    var rank: CInt = 0
    var size: CInt = 0
    try Self.check("rank", unsafe cmpi_rank(&rank))
    try Self.check("size", unsafe cmpi_size(&size))
    (self.rank, self.size) = (Int(rank), Int(size))
  }

  deinit {
    // After a failure other ranks may be waiting elsewhere, and finishing would wait for them; a process that
    // ends without it makes mpirun end the others.
    if !hasFailed { _ = cmpi_finish() }
  }

  /// Name and version of the MPI library.
  public static func version() throws(CommunicationError) -> String {
    unsafe try text(capacity: Int(CMPI_VERSION_CAPACITY)) { unsafe cmpi_version($0, $1) }
  }

  /// Waits until every rank has come here.
  ///
  /// - Throws: ``CommunicationError/transportFailed(operation:message:)``.
  public func barrier() throws(CommunicationError) {
    try check("barrier", cmpi_barrier())
  }

  /// Sends a share to every rank, itself included, and receives one from each.
  ///
  /// - Throws: ``CommunicationError``.
  public func allToAll(_ shares: [[UInt8]]) throws(CommunicationError) -> [[UInt8]] {
    let isComplete = shares.count == size
    let sent = Layout(isComplete ? shares.map(\.count) : Array(repeating: 0, count: size))
    var counts = [Int64](repeating: 0, count: size)
    try check(
      "exchange of counts", unsafe cmpi_exchange_counts(sent.lengths.map(Int64.init), &counts))
    let received = Layout(counts.map(Int.init))
    // All ranks go on or none does: one that stayed away would keep the others waiting.
    let isPossible = isComplete && sent.fits && received.fits
    var all: CInt = 0
    try check("agreement", unsafe cmpi_agree(isPossible ? 1 : 0, &all))
    guard isComplete else { throw .wrongShareCount(shares: shares.count, ranks: size) }
    guard isPossible else { throw .tooManyBytes(max(sent.total, received.total)) }
    guard all != 0 else { throw .refusedElsewhere }
    var bytes = [UInt8](repeating: 0, count: received.total)
    let status = unsafe cmpi_exchange_bytes(
      shares.flatMap(\.self), sent.counts, sent.offsets, &bytes, received.counts, received.offsets)
    try check("exchange of bytes", status)
    return received.ranges.map { Array(bytes[$0]) }
  }

  /// Where shares lie when they follow one another.
  private struct Layout {
    let lengths: [Int]
    let total: Int

    init(_ lengths: [Int]) {
      self.lengths = lengths
      total = lengths.reduce(0, +)
    }

    /// Whether MPI can count the bytes.
    var fits: Bool { total <= Int(CInt.max) }

    var starts: [Int] {
      var next = 0
      return lengths.map { length in
        defer { next += length }
        return next
      }
    }

    var counts: [CInt] { lengths.map { CInt($0) } }
    var offsets: [CInt] { starts.map { CInt($0) } }
    var ranges: [Range<Int>] { zip(starts, lengths).map { $0..<$0 + $1 } }
  }

  private func check(_ operation: String, _ code: CInt) throws(CommunicationError) {
    if code != 0 { hasFailed = true }
    try Self.check(operation, code)
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
