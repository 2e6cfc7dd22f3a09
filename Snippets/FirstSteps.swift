// What README.md shows: a gradient, and a file that is mapped rather than read.

import MoECore
import MoETensor

let x = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
let weight = Parameter(Tensor.identity(2))

let result = try valueAndGradients(
  of: { x.linear(weight.value).softmax(axis: 1).log().mean() }, for: [weight])
print(result.value, result.gradients[0])

try SafetensorsFile.write(["weight": weight.value], to: "weight.safetensors")
let same = try SafetensorsFile("weight.safetensors").tensor(named: "weight")  // mapped, not copied
