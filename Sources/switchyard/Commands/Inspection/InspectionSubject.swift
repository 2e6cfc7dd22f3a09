/// A kind of input of 'inspect'.
///
/// A new kind of input is one file and one line in ``InspectionSubjects``.
protocol InspectionSubject: SendableMetatype {
  /// Recognises the command's input; `nil` for anything else.
  init?(_ command: Inspect) throws

  /// Inspects the input and prints a report.
  func inspect() throws
}

/// The kinds of input of 'inspect', in the order in which they are tried.
enum InspectionSubjects {
  static let all: [any InspectionSubject.Type] = [
    DiffusionSubject.self, ClassifierSubject.self, RunSubject.self, LanguageSubject.self,
    TraceSubject.self,
  ]
}
