/// The most bytes of files that are read into memory as a whole; larger ones cannot be what they should be.
package enum FileLimit {
  /// A configuration, a plan, a record; real ones have kilobytes, and the values take 30 times the file.
  package static let configuration = 32_000_000
  /// A tokenizer, the index of a checkpoint or counts of routing; the largest known have 35 MB.
  package static let json = 100_000_000
  /// A text or table whose lines are needed at the same time.
  package static let text = 1_000_000_000
  /// A text that a tokenizer cannot read in parts.
  package static let undividedText = 64_000_000
}
