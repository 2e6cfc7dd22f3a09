import Synchronization

/// The things of one kind that a file or an option can name, open to more of them.
///
/// The library fills a registry with its own entries; a program adds others once, before it reads files that name
/// them:
///
///     Routers.registry.register("hash", HashRouter.self)
public final class Registry<Entry: Sendable>: Sendable {
  /// What an entry is, in the singular, for messages: "router".
  public let kind: String
  private let entries: Mutex<[(name: String, entry: Entry)]>

  /// Starts with the given entries, in the order in which they are listed to people.
  ///
  /// - Precondition: All names differ.
  public init(_ kind: String, _ entries: KeyValuePairs<String, Entry>) {
    self.kind = kind
    self.entries = Mutex([])
    for (name, entry) in entries { register(name, entry) }
  }

  /// Adds an entry under a new name.
  ///
  /// - Parameters:
  ///   - name: As files and options spell it.
  ///   - entry: What the name stands for.
  /// - Precondition: No entry has this name.
  public func register(_ name: String, _ entry: Entry) {
    entries.withLock { entries in
      precondition(
        !entries.contains { $0.name == name }, "there is already a \(kind) named '\(name)'")
      entries.append((name, entry))
    }
  }

  /// The names, in the order in which they were registered.
  public var names: [String] { entries.withLock { $0.map(\.name) } }

  /// All entries, in the order in which they were registered.
  public var all: [Entry] { entries.withLock { $0.map(\.entry) } }

  /// The entry with a name, or `nil` when there is none.
  public subscript(name: String) -> Entry? {
    entries.withLock { $0.first { $0.name == name }?.entry }
  }
}

extension ConfigurationObject {
  /// The entry of a registry that a key names.
  ///
  /// - Parameters:
  ///   - key: The key, whose value is a name.
  ///   - registry: The known names.
  /// - Returns: The name and what it stands for.
  /// - Throws: ``ConfigurationError`` that lists the known names.
  public func entry<Entry>(
    _ key: String, in registry: Registry<Entry>
  ) throws(ConfigurationError) -> (name: String, entry: Entry) {
    guard let name = try optionalString(key) else {
      throw .missingKey(path: path, key: fullKey(key))
    }
    guard let entry = registry[name] else {
      throw invalid(key, "one of \(registry.names.joined(separator: ", "))")
    }
    return (name, entry)
  }
}
