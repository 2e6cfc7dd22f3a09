/// An entry of a ``Registry`` that knows how it is called and can say in one line what it is.
public protocol NamedEntry: Sendable {
  /// As files and options spell it.
  var name: String { get }
  /// One line for people who choose among the entries, without a full stop.
  var help: String { get }
}

extension Registry where Entry: NamedEntry {
  /// Starts with the given entries, in the order in which they are listed to people.
  ///
  /// - Precondition: All names differ.
  public convenience init(_ kind: String, _ entries: [Entry]) {
    self.init(kind, [:])
    for entry in entries { register(entry) }
  }

  /// Adds an entry under its name.
  ///
  /// - Precondition: No entry has this name.
  public func register(_ entry: Entry) { register(entry.name, entry) }
}
