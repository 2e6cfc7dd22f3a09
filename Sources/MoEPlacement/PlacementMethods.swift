public import MoECore

/// A named way to solve placement problems, and how its solver is made.
public struct PlacementMethod: NamedEntry {
  /// What a user may set; each method takes what it knows of it.
  public struct Settings: Hashable, Sendable {
    /// Longest search in seconds, above 0; `nil` leaves it to the method.
    public var timeLimit: Double?
    /// How the integer program counts crossings.
    public var form: IntegerProgramSolver.Form
    /// Start of the random numbers.
    public var seed: UInt64

    /// Collects settings.
    public init(
      timeLimit: Double? = nil, form: IntegerProgramSolver.Form = .strengthened, seed: UInt64 = 0
    ) {
      (self.timeLimit, self.form, self.seed) = (timeLimit, form, seed)
    }

    /// The longest search in seconds of methods that need no limit.
    var limit: Double { timeLimit ?? .infinity }
  }

  /// The solver's name, too.
  public let name: String
  /// One line about the method.
  public let help: String
  /// Makes the solver for settings.
  public let solver: @Sendable (Settings) -> any PlacementSolver

  /// Describes a method.
  ///
  /// - Parameters:
  ///   - name: The name of the solver.
  ///   - help: One line about it, without a full stop.
  ///   - solver: Makes the solver.
  public init(
    _ name: String, help: String, solver: @escaping @Sendable (Settings) -> any PlacementSolver
  ) {
    (self.name, self.help, self.solver) = (name, help, solver)
  }
}

/// The methods of placement that can be named.
public enum PlacementMethods {
  /// The methods by name, the one that suits most problems first.
  public static let registry = Registry<PlacementMethod>(
    "placement method",
    [.auto, .exact, .sweep, .bisection, .staged, .milp, .eplb, .linear, .random])
}
