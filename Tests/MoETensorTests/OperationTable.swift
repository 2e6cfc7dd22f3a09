import MoECore
import MoETensor

/// Every operation by the name that the fixtures use.
enum OperationTable {
  typealias Function = ([Tensor], OperationCase) -> [Tensor]

  static var all: [String: Function] {
    [
      arithmetic, functions, comparisons, reductions, shapes, indexing, products, layers,
    ].reduce(into: [:]) {
      $0.merge($1) { _, _ in preconditionFailure("an operation is listed twice") }
    }
  }

  private static func unary(_ function: @escaping (Tensor) -> Tensor) -> Function {
    { x, _ in [function(x[0])] }
  }

  private static func binary(_ function: @escaping (Tensor, Tensor) -> Tensor) -> Function {
    { x, _ in [function(x[0], x[1])] }
  }

  private static func scalar(_ function: @escaping (Tensor, Double) -> Tensor) -> Function {
    { x, c in [function(x[0], c.number("number"))] }
  }

  private static func alongAxis(_ function: @escaping (Tensor, Int, Bool) -> Tensor) -> Function {
    { x, c in [function(x[0], c.int("axis"), c.flag("keep"))] }
  }

  private static var arithmetic: [String: Function] {
    [
      "add": binary(+), "subtract": binary(-), "multiply": binary(*), "divide": binary(/),
      "floorDivided": binary { $0.floorDivided(by: $1) },
      "addScalar": { x, c in
        let sum = x[0] + c.number("number")
        precondition((c.number("number") + x[0]).shape == sum.shape)
        return [sum]
      },
      "subtractScalar": scalar(-), "subtractFrom": scalar { $1 - $0 },
      "multiplyScalar": scalar { $1 * $0 }, "divideScalar": scalar(/),
      "divideFrom": scalar { $1 / $0 },
      "addInteger": { x, c in [c.int("integer") + x[0]] },
      "multiplyInteger": { x, c in [x[0] * c.int("integer")] },
      "remainder": { x, c in [x[0].remainder(dividingBy: c.int("integer"))] },
      "negate": unary { -$0 }, "pow": scalar { $0.pow($1) },
      "reciprocal": unary { $0.reciprocal() },
      "maximum": binary { $0.maximum($1) }, "minimum": binary { $0.minimum($1) },
      "clamped": { x, c in [x[0].clamped(min: c.number("min"), max: c.number("max"))] },
    ]
  }

  private static var functions: [String: Function] {
    [
      "exp": unary { $0.exp() }, "log": unary { $0.log() }, "log1p": unary { $0.log1p() },
      "sqrt": unary { $0.sqrt() }, "rsqrt": unary { $0.rsqrt() }, "sin": unary { $0.sin() },
      "cos": unary { $0.cos() }, "abs": unary { $0.abs() }, "sign": unary { $0.sign() },
      "floor": unary { $0.floor() }, "rounded": unary { $0.rounded() }, "erf": unary { $0.erf() },
      "relu": unary { $0.relu() }, "gelu": unary { $0.gelu() },
      "geluTanh": unary { $0.gelu(.tanh) },
      "silu": unary { $0.silu() }, "tanh": unary { $0.tanh() }, "sigmoid": unary { $0.sigmoid() },
      "softplus": unary { $0.softplus() },
      "softmax": { x, c in [x[0].softmax(axis: c.int("axis"))] },
      "logSoftmax": { x, c in [x[0].logSoftmax(axis: c.int("axis"))] },
    ]
  }

  private static var comparisons: [String: Function] {
    [
      "eq": binary(.==), "ne": binary(.!=), "lt": binary(.<), "le": binary(.<=), "gt": binary(.>),
      "ge": binary(.>=), "eqScalar": scalar(.==), "neScalar": scalar(.!=), "ltScalar": scalar(.<),
      "leScalar": scalar(.<=), "gtScalar": scalar(.>), "geScalar": scalar(.>=), "and": binary(.&),
      "or": binary(.|), "notOf": unary { .!$0 }, "isFinite": unary { (1 / $0).isFinite() },
      "select": { x, _ in [x[0].select(x[1], else: x[2])] },
      "filled": { x, c in [x[0].filled(with: c.number("number"), where: x[1])] },
      "nonzeroIndices": unary { $0.nonzeroIndices() },
    ]
  }

  private static var reductions: [String: Function] {
    [
      "sum": unary { $0.sum() }, "mean": unary { $0.mean() }, "norm": unary { $0.norm() },
      "sumAxis": alongAxis { $0.sum(axis: $1, keepAxes: $2) },
      "meanAxis": alongAxis { $0.mean(axis: $1, keepAxes: $2) },
      "sumAxes": { x, c in [x[0].sum(axes: c.list("axes"))] },
      "meanAxes": { x, c in [x[0].mean(axes: c.list("axes"))] },
      "variance": { x, c in
        [
          x[0].variance(
            axis: c.int("axis"), correction: c.int("correction"), keepAxes: c.flag("keep"))
        ]
      },
      "max": alongAxis { $0.max(axis: $1, keepAxes: $2) },
      "min": alongAxis { $0.min(axis: $1, keepAxes: $2) },
      "argmax": alongAxis { $0.argmax(axis: $1, keepAxes: $2) },
      "logSumExp": alongAxis { $0.logSumExp(axis: $1, keepAxes: $2) },
      "normAxis": alongAxis { $0.norm(axis: $1, keepAxes: $2) },
      "cumulativeSum": { x, c in [x[0].cumulativeSum(axis: c.int("axis"))] },
      "bincount": { x, c in [x[0].bincount(minimumLength: c.int("minimum"))] },
    ]
  }

  private static var shapes: [String: Function] {
    [
      "reshaped": { x, c in [x[0].reshaped(c.list("shape"))] },
      "permuted": { x, c in [x[0].permuted(c.list("order"))] },
      "transposed": { x, c in [x[0].transposed(c.int("first"), c.int("second"))] },
      "expanded": { x, c in [x[0].expanded(c.list("shape"))] },
      "expandingAxis": { x, c in [x[0].expandingAxis(c.int("axis"))] },
      "removingAxis": { x, c in [x[0].removingAxis(c.int("axis"))] },
      "slice": { x, c in
        [x[0].slice(axis: c.int("axis"), c.int("start")..<c.int("end"), step: c.int("step"))]
      },
      "at": { x, c in [x[0].at(c.int("index"), axis: c.int("axis"))] },
      "split": { x, c in x[0].split(sizes: c.list("sizes"), axis: c.int("axis")) },
      "concatenated": { x, c in [Tensor.concatenated(x, axis: c.int("axis"))] },
      "stacked": { x, c in [Tensor.stacked(x, axis: c.int("axis"))] },
      "padded": { x, c in
        [
          x[0].padded(
            axis: c.int("axis"), before: c.int("before"), after: c.int("after"),
            with: c.number("number"))
        ]
      },
      "lowerTriangle": { x, c in [x[0].lowerTriangle(diagonal: c.int("diagonal"))] },
      "upperTriangle": { x, c in [x[0].upperTriangle(diagonal: c.int("diagonal"))] },
      "reversed": { x, c in [x[0].reversed(axis: c.int("axis"))] },
      "cast": { x, c in [x[0].cast(to: castTargets[c.int("type")])] },
    ]
  }

  /// The order of the fixture script.
  private static let castTargets: [DType] = [
    .bool, .u8, .i8, .u16, .i16, .u32, .i32, .u64, .i64, .f8e4m3, .f8e5m2, .f16, .bf16, .f32, .f64,
  ]

  private static var indexing: [String: Function] {
    [
      "gather": { x, c in [x[0].gather(x[1], axis: c.int("axis"))] },
      "selecting": { x, c in [x[0].selecting(x[1], axis: c.int("axis"))] },
      "adding": { x, c in [x[0].adding(x[1], at: x[2], axis: c.int("axis"))] },
      "scattering": { x, c in [x[0].scattering(x[1], at: x[2], axis: c.int("axis"))] },
      "scatterAdding": { x, c in [x[0].scatterAdding(x[1], at: x[2], axis: c.int("axis"))] },
      "embedding": binary { $0.embedding($1) },
      "sorted": { x, c in
        let sorted = x[0].sorted(axis: c.int("axis"), descending: c.flag("descending"))
        return [sorted.values, sorted.indices]
      },
      "topK": { x, c in
        let best = x[0].topK(c.int("k"), axis: c.int("axis"))
        return [best.values, best.indices]
      },
      "oneHot": { x, c in [x[0].oneHot(classes: c.int("classes"))] },
    ]
  }

  private static var products: [String: Function] {
    [
      "matmul": binary { $0.matmul($1) },
      "linear": { x, c in [x[0].linear(x[1], bias: c.flag("bias") ? x[2] : nil)] },
      "addingProducts": { x, _ in [x[0].addingProducts(x[1], x[2])] },
      "cholesky": unary { $0.cholesky().factor },
      "choleskyInverse": unary { $0.choleskyInverse() },
      "solveLower": binary { $0.solvingTriangular(.lower, $1) },
      "solveUpper": binary { $0.solvingTriangular(.upper, $1) },
    ]
  }

  private static var layers: [String: Function] {
    [
      "layerNorm": { x, c in
        let affine = x.count == 3
        return [
          x[0].layerNorm(
            weight: affine ? x[1] : nil, bias: affine ? x[2] : nil, epsilon: c.number("epsilon"))
        ]
      },
      "rmsNorm": { x, c in
        [x[0].rmsNorm(weight: x.count == 2 ? x[1] : nil, epsilon: c.number("epsilon"))]
      },
      "attention": { x, c in
        [
          Tensor.attention(
            query: x[0], key: x[1], value: x[2], mask: c.flag("causal") ? .causal : .none,
            scale: c.numbers["scale"])
        ]
      },
      "attentionMasked": { x, _ in
        // The fixture holds the mask fixed.
        [Tensor.attention(query: x[0], key: x[1], value: x[2], mask: .custom(x[3].detached()))]
      },
      "convolved2D": { x, c in
        [
          x[0].convolved2D(
            x[1], bias: x[2], stride: c.int("stride"), padding: c.int("padding"),
            groups: c.int("groups"))
        ]
      },
      "patchified": { x, c in [x[0].patchified(patchSize: c.int("size"), order: .channelsFirst)] },
      "unpatchified": { x, c in
        [
          x[0].unpatchified(
            patchSize: c.int("size"), order: .channelsLast, rows: c.int("rows"),
            columns: c.int("columns"))
        ]
      },
      "gru": { x, _ in
        let weights = GRUWeights(input: x[2], hidden: x[3], inputBias: x[4], hiddenBias: x[5])
        let output = x[0].gru(weights, initial: x[1])
        return [output.states, output.last]
      },
      "crossEntropy": { x, c in
        let reduction = Tensor.LossReduction(rawValue: c.int("reduction")) ?? .mean
        return [x[0].crossEntropy(targets: x[1], reduction: reduction)]
      },
      "meanSquaredError": { x, c in
        let reduction = Tensor.LossReduction(rawValue: c.int("reduction")) ?? .mean
        return [x[0].meanSquaredError(x[1], reduction: reduction)]
      },
    ]
  }
}
