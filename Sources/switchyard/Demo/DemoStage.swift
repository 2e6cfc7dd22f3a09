import MoEReport

/// A part of the demo: its steps, and how their results are shown in a terminal and on the page.
protocol DemoStage {
  /// What the part shows, in a few words.
  var title: String { get }
  /// The steps, in order; each can be repeated.
  var steps: [DemoStep] { get }
  /// The results for a terminal.
  func summary() throws -> String
  /// The results for the page, figures first.
  func sections() throws -> [Page.Section]
}

/// The parts of the demo.
enum DemoStages {
  /// All parts in order; a new part is one file and one line here.
  ///
  /// A part may read the files of earlier ones.
  static func all(_ setting: DemoSetting) -> [any DemoStage] {
    [
      LanguageStage(setting: setting), RoutingStage(setting: setting),
      PlacementStage(setting: setting), ImagesStage(setting: setting),
      KindsStage(setting: setting),
    ]
  }
}
