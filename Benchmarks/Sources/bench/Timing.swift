import Foundation

/// Time and, if measured, memory of one side of a comparison.
struct Measurement {
  var seconds: Double
  var bytes: Int?
}

/// Median seconds of a step; each sample is the mean of `inner` steps.
func timed(iterations: Int, inner: Int = 1, _ step: () throws -> Void) rethrows -> Measurement {
  for _ in 0..<max(3, iterations / 10) { try step() }
  var samples: [Double] = []
  for _ in 0..<iterations {
    let seconds = try ContinuousClock().measure {
      for _ in 0..<inner { try step() }
    }
    samples.append(seconds / Duration.seconds(1) / Double(inner))
  }
  return Measurement(seconds: median(samples))
}

/// The middle element, or the mean of the middle two.
func median(_ samples: [Double]) -> Double {
  let sorted = samples.sorted()
  let middle = sorted.count / 2
  return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}

/// Memory of this process that is neither shared nor backed by a file, in bytes.
func privateMemory() -> Int { memory("RssAnon") }

/// The measurement of `body`, with the peak private memory of the process during it.
func withPeakMemory(_ body: () throws -> Measurement) throws -> Measurement {
  // Resets the system's peak to the current use.
  try "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
  var result = try body()
  result.bytes = memory("VmHWM") - memory("RssFile") - memory("RssShmem")
  return result
}

private func memory(_ kind: String) -> Int {
  let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
  let line = status.split(separator: "\n").first { $0.hasPrefix(kind + ":") } ?? ""
  return (line.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.first ?? 0) * 1024
}
