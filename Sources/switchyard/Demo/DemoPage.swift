import MoECore
import MoEPlacement
import MoEReport
import MoETensor

/// The `report.html` of a demo.
struct DemoPage {
  private let setting: DemoSetting
  private let stages: [any DemoStage]
  private let record: DemoRecord

  init(_ setting: DemoSetting, _ stages: [any DemoStage], _ record: DemoRecord) {
    (self.setting, self.stages, self.record) = (setting, stages, record)
  }

  var page: Page {
    get throws {
      var sections = try stages.flatMap { try $0.sections() }
      sections.append(origin)
      let size =
        setting.isQuick
        ? "A few steps of everything, to see that it runs: these results mean nothing."
        : "Everything was made on this machine, from bundled data, by the commands shown next to it."
      return Page(
        "What Switchyard does", summary: size, sections: sections,
        footer:
          "Made by '\(setting.command)'. Tables below the figures contain their numbers. Run the commands in the folder where the demo was run; with --json they print all digits."
      )
    }
  }

  private var origin: Page.Section {
    let steps = stages.flatMap(\.steps)
    let seconds = steps.map { record.steps[$0.name]?.seconds ?? 0 }
    let rows = zip(steps, seconds).map { [$0.line, NumberText.short($1)] }
    let total = NumberText.short(seconds.reduce(0, +))
    return Page.Section(
      "How it was made",
      [
        .paragraph(
          "\(total) seconds in all, on \(Engine.threadCount) \(Engine.threadCount == 1 ? "thread" : "threads"); switchyard \(VersionReport.version) with \(Engine.kernelVersion.name) kernels, libtorch \(Engine.version) with kernels for \(Engine.kernelInstructionSet), HiGHS \(HiGHSSolver.version)."
        ), .table(Table(["command", "seconds"], rows + [["all", total]])),
        .commands([setting.command]),
      ])
  }
}
