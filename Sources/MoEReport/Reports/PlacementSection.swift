import MoECore
import MoEPlacement

/// The section on what placement and balancing could gain.
struct PlacementSection {
  let advice: PlacementAdvice

  init(_ advice: PlacementAdvice) { self.advice = advice }

  var section: Page.Section {
    Page.Section(
      "Experts on \(advice.devices) devices",
      [
        .paragraph(
          "Plans were made from \(NumberText.count(advice.fittedTokens)) tokens and evaluated on \(NumberText.count(advice.judgedTokens)) others. A crossing is a step from one sparse layer to the next that changes the device."
        ),
        .figures([crossings, balance] + profile),
      ])
  }

  private var crossings: Figure {
    BarChart(
      ["experts placed in order", "plan", "lower bound (on the plan's own tokens)"],
      [
        (
          "", [advice.linearCrossings, advice.plannedCrossings, advice.fewestCrossings]
        )
      ], nameTitle: "placement", valueTitle: "crossings", format: NumberText.pagePercent
    ).rowFigure(
      "Crossings",
      note:
        "The plan saves \(NumberText.pagePercent(advice.saved)) of the first bar's; shuffled tokens, where only popularity is left, would save \(NumberText.pagePercent(advice.savedByNull))."
    )
  }

  private var balance: Figure {
    BarChart(
      [
        "experts placed in order", "plan with the fewest crossings",
        "plan that weighs both (weight \(advice.compromise.weight))", "plan that only balances",
      ],
      [
        (
          "",
          [
            advice.linearBalance, advice.plannedBalance, advice.compromise.balance,
            advice.balancedBalance,
          ]
        )
      ], nameTitle: "placement", valueTitle: "largest load over the mean",
      reference: (1, "even")
    ).rowFigure(
      "Load of the busiest device",
      note:
        "Over the mean, mean of the layers. The plan that weighs both saves \(NumberText.pagePercent(advice.compromise.saved)) of the crossings."
    )
  }

  private var profile: [Figure] {
    guard advice.profile.count > 1 else { return [] }
    return [
      LineChart(
        [.init("plan", advice.profile.map { (x: Double($0.tokens), y: $0.crossingShare) })],
        xTitle: "tokens in the profile", yTitle: "crossings on held-out tokens",
        isLogarithmic: true,
        reference: (advice.linearCrossings, "in order"), format: NumberText.pagePercent
      ).figure(
        "How many tokens a profile needs",
        note: advice.tokensNeeded.map {
          "\(NumberText.count($0)) tokens save 97 % of what all tokens save."
        } ?? "Nothing is saved.")
    ]
  }
}
