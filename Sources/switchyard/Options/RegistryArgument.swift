import ArgumentParser
import MoECore

/// An option whose values are the entries of a registry, which its help lists.
protocol RegistryArgument: ExpressibleByArgument, NamedEntry {
  static var registry: Registry<Self> { get }
}

extension RegistryArgument {
  /// The entry of the name, if there is one.
  public init?(argument: String) {
    guard let entry = Self.registry[argument] else { return nil }
    self = entry
  }

  /// The name.
  public var defaultValueDescription: String { name }
  /// The names of all entries.
  public static var allValueStrings: [String] { registry.names }
  /// A description of each entry, by name.
  public static var allValueDescriptions: [String: String] {
    Dictionary(uniqueKeysWithValues: registry.all.map { ($0.name, $0.help) })
  }
  /// Any of the names.
  public static var defaultCompletionKind: CompletionKind { .list(registry.names) }
}
