import MoEReport

/// A part of the demo: its steps, and what their results look like in a terminal and on the page.
protocol DemoStage {
  /// What is shown, in a few words.
  var title: String { get }
  /// The steps, in order; each can be repeated.
  var steps: [DemoStep] { get }
  /// The results for a terminal.
  func summary() throws -> String
  /// The results for the page, pictures first.
  func sections() throws -> [Page.Section]
}

/// The parts of the demo.
enum DemoStages {
  /// All of them in order; one more is a file and a line here.
  ///
  /// A part may read what earlier ones have made.
  static func all(_ setting: DemoSetting) -> [any DemoStage] {
    [
      LanguageStage(setting: setting), RoutingStage(setting: setting),
      PlacementStage(setting: setting), ImagesStage(setting: setting),
      KindsStage(setting: setting),
    ]
  }
}
