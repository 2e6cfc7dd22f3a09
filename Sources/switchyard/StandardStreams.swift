import Foundation

/// The descriptors 0, 1 and 2, which every program takes for granted.
enum StandardStreams {
  /// Opens those that are closed on the null device; otherwise the next file that is opened would take their
  /// place, and messages would go into it.
  ///
  /// They are opened the wrong way round, so that reading and writing fail as on a closed one.
  static func reserve() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where fcntl(descriptor, F_GETFD) == -1 {
      // The lowest free descriptor is this one, because those below it are open by now.
      _ = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }
}
