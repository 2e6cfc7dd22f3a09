/// A mixed-integer linear program.
///
///     minimise    Σ_v cost[v] · x[v]
///     subject to  lower[c] ≤ Σ_v coefficient[c, v] · x[v] ≤ upper[c]   for every constraint c
///                 lower[v] ≤ x[v] ≤ upper[v], x[v] whole where asked   for every variable v
public struct IntegerProgram: Hashable, Sendable {
  /// A decision variable.
  public struct Variable: Hashable, Sendable {
    /// Smallest and largest value; either may be infinite.
    public var bounds: ClosedRange<Double>
    /// The contribution of one unit to the objective.
    public var cost: Double
    /// Whether only integers are allowed.
    public var isInteger: Bool

    /// Describes a variable.
    public init(bounds: ClosedRange<Double>, cost: Double, isInteger: Bool) {
      (self.bounds, self.cost, self.isInteger) = (bounds, cost, isInteger)
    }
  }

  /// A variable in a constraint.
  public struct Term: Hashable, Sendable {
    /// Position of the variable in ``IntegerProgram/variables``.
    public var variable: Int
    /// Its factor.
    public var coefficient: Double

    /// Describes a term.
    public init(_ variable: Int, _ coefficient: Double) {
      (self.variable, self.coefficient) = (variable, coefficient)
    }
  }

  /// A linear expression with limits.
  public struct Constraint: Hashable, Sendable {
    /// The expression's terms, each variable at most once.
    public var terms: [Term]
    /// Smallest and largest value of the expression; either may be infinite.
    public var bounds: ClosedRange<Double>

    /// Describes a constraint.
    public init(_ terms: [Term], in bounds: ClosedRange<Double>) {
      (self.terms, self.bounds) = (terms, bounds)
    }
  }

  /// The decision variables.
  public var variables: [Variable] = []
  /// The constraints on their values.
  public var constraints: [Constraint] = []

  /// A program without variables.
  public init() {}

  /// Adds a variable and returns its position.
  public mutating func add(_ variable: Variable) -> Int {
    variables.append(variable)
    return variables.count - 1
  }

  /// Values for the variables, and their quality.
  public struct Solution: Hashable, Sendable {
    /// The value of every variable.
    public var values: [Double]
    /// The objective of these values.
    public var objective: Double
    /// No values have an objective below this.
    public var bound: Double
    /// Whether the values were proved optimal, up to the solver's relative tolerance of 1e-6.
    public var isOptimal: Bool
  }

  /// Checks that terms refer to existing variables, each at most once per constraint, and that no
  /// number is NaN.
  func validate() throws(PlacementError) {
    let termCount = constraints.reduce(0) { $0 + $1.terms.count }
    guard max(variables.count, constraints.count, termCount) <= Int32.max else {
      throw .invalidProgram(message: "\(termCount) terms are more than the solver can count")
    }
    for (index, variable) in variables.enumerated() where !variable.cost.isFinite {
      throw .invalidProgram(message: "variable \(index) costs \(variable.cost)")
    }
    for (index, constraint) in constraints.enumerated() {
      var seen: Set<Int> = []
      for term in constraint.terms {
        guard variables.indices.contains(term.variable), seen.insert(term.variable).inserted,
          term.coefficient.isFinite
        else {
          throw .invalidProgram(
            message:
              "constraint \(index) has the term \(term.coefficient) · x[\(term.variable)], with \(variables.count) variables"
          )
        }
      }
    }
  }
}
