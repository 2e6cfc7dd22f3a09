#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Ends the program because its code violated a contract, with the reason on standard error.
///
/// `preconditionFailure` drops its message in release builds; the shapes in the message are what
/// the programmer needs.
package func programmerError(_ message: String) -> Never {
  let line = Array("switchyard: programmer error: \(message)\n".utf8)
  _ = unsafe write(STDERR_FILENO, line, line.count)
  abort()
}

/// Ends the program with `message` unless `condition` holds.
package func require(_ condition: Bool, _ message: @autoclosure () -> String) {
  if !condition { programmerError(message()) }
}
