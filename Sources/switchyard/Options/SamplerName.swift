import ArgumentParser
import MoEModels

/// A sampler, by its name.
enum SamplerName: String, CaseIterable, ExpressibleByArgument {
  case euler, heun, ancestral, ddim

  var method: DiffusionSampler.Method {
    switch self {
    case .euler: .euler
    case .heun: .heun
    case .ancestral: .ancestral
    case .ddim: .ddim
    }
  }
}

/// The value of `--steps` of commands that make images.
enum SamplingSteps {
  /// Rejects a number that the sampler cannot take; that no sampler can, if none is named.
  static func check(_ steps: Int, _ sampler: SamplerName?) throws {
    let methods = sampler.map { [$0.method] } ?? SamplerName.allCases.map(\.method)
    let most = methods.map(\.mostSteps).max() ?? 1
    guard 1...most ~= steps else {
      throw ValidationError("--steps is \(steps); it must be in 1…\(most).")
    }
  }
}
