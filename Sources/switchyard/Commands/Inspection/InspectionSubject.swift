/// Something that 'inspect' can be given.
///
/// A new kind of input is one file and one line in ``InspectionSubjects``.
protocol InspectionSubject: SendableMetatype {
  /// Recognises what the command was given; `nil` for anything else.
  init?(_ command: Inspect) throws

  /// Looks at it and prints what was found.
  func inspect() throws
}

/// What 'inspect' can be given, in the order in which it tries.
enum InspectionSubjects {
  static let all: [any InspectionSubject.Type] = [
    DiffusionSubject.self, ClassifierSubject.self, RunSubject.self, LanguageSubject.self,
    TraceSubject.self,
  ]
}
