import MoECore

extension VerificationReport.Kernel {
  /// The cells of a row: format, modules, and the errors of one row, few rows and many.
  package var cells: [String] {
    [label, "\(modules) of \(allModules)"] + [one, few, many].map { NumberText.short($0) }
  }
}

extension VerificationLimits.Judgement {
  /// The cells of a row, without the verdict: figure, value and limit.
  package var cells: [String] {
    [figure, value.map { NumberText.short($0) } ?? "not finite", NumberText.short(limit)]
  }
}
