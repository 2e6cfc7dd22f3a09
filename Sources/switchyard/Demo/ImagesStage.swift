import MoECore
import MoEReport
import MoETraining
import SystemPackage

/// A diffusion transformer with ProMoE's routing learns to draw digits.
struct ImagesStage: DemoStage {
  let setting: DemoSetting

  let title = "A diffusion transformer of experts draws digits"

  private var run: FilePath { setting.made("digits") }

  var steps: [DemoStep] {
    var words = ["train", setting.bundled("Examples/demo-digits.json").string]
    words += ["--out", run.string, "--resume"]
    if setting.isQuick {
      for change in [
        "training.steps=2", "training.batch_size=8", "evaluation.every=1",
        "evaluation.samples=1", "evaluation.sampling_steps=2", "evaluation.images=8",
        "schedule.warmup_steps=1", "checkpoints.every=1",
      ] { words += ["--set", change] }
    }
    let model = run.appending("model").string
    let amount = setting.isQuick ? ["--count", "2", "--steps", "4"] : ["--count", "10"]
    let few = setting.isQuick ? ["--count", "1", "--steps", "8"] : ["--count", "2"]
    return [
      setting.step("digits", words, makes: ["digits/model"]),
      setting.step(
        "samples",
        [
          "sample", model, "--guidance", "1.5", "--seed", "1", "--out",
          setting.made("digits.png").string,
        ] + amount, makes: ["digits.png"]),
      setting.step(
        "trajectory",
        [
          "sample", model, "--guidance", "1.5", "--seed", "1", "--classes", "3,7",
          "--trajectory", "--out", setting.made("digits-way.png").string,
        ] + few, makes: ["digits-way.png"]),
    ]
  }

  // MARK: Results

  private var evaluation: MetricsTable { MetricsTable(run.appending("evaluation.csv")) }

  func summary() throws -> String {
    let losses = (evaluation.numbers("loss") ?? []).map(NumberText.short)
    return """
      validation loss: \(losses.joined(separator: ", "))
      images: \(setting.made("digits.png")), on their way from noise: \(setting.made("digits-way.png"))
      """
  }

  func sections() throws -> [Page.Section] {
    let lines = steps.map(\.line)
    let table = run.appending("evaluation.csv").string
    return [
      Page.Section(
        "Generated digits",
        [
          .images(
            ImageGrid(
              [
                .init(
                  png: try MappedFile(setting.made("digits.png")).copied(),
                  label: "Ten images of each digit, from 0 to 9\(madeBy)"),
                .init(
                  png: try MappedFile(setting.made("digits-way.png")).copied(),
                  label: "Threes and sevens on their way from noise\(madeBy)"),
              ], width: 600)),
          .figures([LossFigure(run).figure("Loss of the images", note: note)] + usage),
          .measurements([
            .init(
              NumberText.short(evaluation.last("loss") ?? .nan),
              "validation loss after \(NumberText.count(evaluation.lastStep ?? 0)) steps",
              command: lines[0] + " && " + ShellText.line(["tail", "-n", "1", table]))
          ]), .commands(lines),
        ])
    ]
  }

  private var madeBy: String {
    RunWeights(evaluationsOf: run).map { "; made by the \($0.rawValue)" } ?? ""
  }

  private var note: String {
    "Mean squared error of the velocity from noise to image; validation uses held-out digits."
  }

  /// Which experts the patches of each digit used between the last two evaluations.
  private var usage: [Figure] {
    guard let step = evaluation.lastStep,
      case let table = MetricsTable(
        CheckpointStore(run.appending("evaluations")).path(ofStep: step)
          .appending("usage-by-class.csv")), table.columns.count > 2,
      let block = table.rows.first?.first
    else { return [] }
    // Images without a label have a separate expert, next to which other differences would be
    // invisible.
    let rows = table.rows.filter { $0[0] == block && Int($0[1]) != nil }
    let used = table.columns.indices.dropFirst(2).filter { column in
      rows.contains { $0[column] != "0" }
    }
    let shares = rows.flatMap { row in
      let counts = used.map { Double(row[$0]) ?? 0 }
      let total = max(1, counts.reduce(0, +))
      return counts.map { $0 / total }
    }
    guard !shares.isEmpty else { return [] }
    return [
      HeatMap(
        rows: rows.map { $0[1] }, columns: used.map { table.columns[$0] }, values: shares,
        rowTitle: "digit",
        columnTitle: "expert", valueTitle: "fraction of its patches", format: NumberText.pagePercent
      ).figure(
        "Which experts draw which digits",
        note:
          "Block \(block), while training; patches of images without a label go to a separate expert."
      )
    ]
  }
}
