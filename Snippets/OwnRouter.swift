// A custom router, in one file outside of Switchyard: tokens are assigned to experts round-robin,
// whatever their content. It is registered under a name, and a model that a JSON file describes is
// trained with it. Run it in the checkout.

import Foundation
import MoECore
import MoERouting
import MoETensor
import MoETraining
import SystemPackage

/// Sends token t to expert t modulo their number: a baseline that is balanced and has learned
/// nothing.
struct RoundRobinRouter: ConfigurableRouter {
  init(_ json: ConfigurationObject, experts: Int) throws { try json.refuseKeys(except: ["type"]) }

  func expertsPerToken(experts: Int) -> Double { 1 }

  func route(_ logits: Tensor, in context: RoutingContext) -> Routing {
    let (tokens, experts) = (logits.size(0), logits.size(1))
    return Routing(
      tokenCount: tokens, expertCount: experts,
      choice: .byToken(experts: (0..<tokens).map { $0 % experts }, k: 1),
      weights: Tensor.ones([tokens, 1]), probabilities: logits.softmax(axis: 1, dtype: .f32))
  }
}

/// Records the loss of every step.
final class Losses: MetricsSink {
  var values: [Double] = []
  func record(_ step: StepMetrics) { values.append(step.loss) }
  func record(evaluation: [NamedValue], step: Int) {}
}

Routers.registry.register("round_robin", RoundRobinRouter.self)

let text = FilePath(FileManager.default.currentDirectoryPath).appending("Data/bible/law.txt")
let configuration = """
  {"model": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "rms_norm_eps": 1e-5,
     "rope_theta": 10000, "hidden_act": "silu", "num_experts": 4, "expert_size": 32,
     "router": {"type": "round_robin"}},
   "tokenizer": {"size": 300},
   "data": {"train": "\(text)", "context": 32},
   "training": {"steps": 30, "batch_size": 4}, "optimizer": {"learning_rate": 0.01}}
  """
let folder = FilePath(NSTemporaryDirectory()).appending("own-router-\(UUID().uuidString)")
try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
defer { try? FileManager.default.removeItem(atPath: folder.string) }
let file = folder.appending("own-router.json")
try Data(configuration.utf8).write(to: URL(filePath: file.string))

let losses = Losses()
let run = try TrainingRun(
  TrainingConfiguration(file), in: folder.appending("run"), resumes: false, sinks: [losses])
_ = try run.run()
print("round_robin: loss \(losses.values[0]) at step 1, \(losses.values[29]) at step 30")
