import ArgumentParser
import MoECore

/// An option whose values are the entries of a registry, which its help lists.
protocol RegistryArgument: ExpressibleByArgument, NamedEntry {
  static var registry: Registry<Self> { get }
}

extension RegistryArgument {
  init?(argument: String) {
    guard let entry = Self.registry[argument] else { return nil }
    self = entry
  }

  var defaultValueDescription: String { name }
  static var allValueStrings: [String] { registry.names }
  static var allValueDescriptions: [String: String] {
    Dictionary(uniqueKeysWithValues: registry.all.map { ($0.name, $0.help) })
  }
  static var defaultCompletionKind: CompletionKind { .list(registry.names) }
}
