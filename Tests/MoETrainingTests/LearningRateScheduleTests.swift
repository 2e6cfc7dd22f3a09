import Foundation
import MoETraining
import Testing

@Suite("Learning-rate schedules")
struct LearningRateScheduleTests {
  @Test(
    "rise linearly, decay as named and then stay constant",
    arguments: [
      (LearningRateSchedule.Decay.constant, [0.5, 1, 1, 1, 1, 1, 1, 1]),
      (.linear, [0.5, 1, 1, 0.775, 0.55, 0.325, 0.1, 0.1]),
      (.cosine, [0.5, 1, 1, 0.868198, 0.55, 0.231802, 0.1, 0.1]),
    ])
  func rates(decay: LearningRateSchedule.Decay, expected: [Double]) throws {
    let schedule = try LearningRateSchedule(
      peak: 1, final: 0.1, warmupSteps: 2, totalSteps: 6, decay: decay)
    for (step, rate) in expected.enumerated() {
      #expect(abs(schedule.rate(at: step) - rate) < 1e-6)
    }
    #expect(schedule.rate(at: 1_000_000) == schedule.rate(at: 7))
  }

  @Test("may consist of only the warm-up")
  func warmupOnly() throws {
    let schedule = try LearningRateSchedule(peak: 2, final: 1, warmupSteps: 4, totalSteps: 4)
    #expect((0..<5).map(schedule.rate) == [0.5, 1, 1.5, 2, 1])
  }

  @Test(
    "refuse settings out of range",
    arguments: [
      #"{"peak": 0, "totalSteps": 5}"#, #"{"peak": 1, "final": 2, "totalSteps": 5}"#,
      #"{"peak": 1, "totalSteps": 5, "warmupSteps": 6}"#,
      #"{"peak": 1, "totalSteps": 5, "warmupSteps": -1}"#,
      #"{"peak": 1, "totalSteps": 5, "decay": "sine"}"#, #"{"totalSteps": 5}"#,
    ])
  func refuses(json: String) {
    #expect(throws: (any Error).self) {
      try JSONDecoder().decode(LearningRateSchedule.self, from: Data(json.utf8))
    }
  }
}
