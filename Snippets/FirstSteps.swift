// The example of README.md: which experts of the bundled model the tokens of a sentence choose.
// Run it in the checkout.

import MoECore
import MoEModels
import MoERouting
import MoETensor
import MoETokenizers

let model = try MoEDecoder.open("Data/bible-moe")
let tokenizer = try Tokenizer("Data/bible-moe")
let tokens = tokenizer.encode("In the beginning God created the heaven and the earth.")

let output = withoutGradients { model(Tensor(tokens, shape: [1, tokens.count])) }
for (layer, sparse) in output.sparse.enumerated() {
  print("layer \(layer): tokens per expert \(sparse.routing.load.tokens)")
}
