"""The operators that an export may have, each with the shapes of what it answers (opset 18-20).

Standard ones that compute with arrays, and no others: no control flow, no texts, nothing random. A
shape that depends on what is seen, and not on sizes alone, is refused.
"""

from steadyhand.runtime.engines import computing, moving
from steadyhand.runtime.engines.sized import Rule

RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            *("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Mean", "Sum", "Where"),
            *("And", "Or", "Xor", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"),
            *("PRelu",),
        ),
        computing.together,
    ),
    **dict.fromkeys(
        (
            *("Abs", "Neg", "Sign", "Sqrt", "Reciprocal", "Exp", "Log", "Erf", "Not", "Identity"),
            *("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Tanh"),
            *("Asinh", "Acosh", "Atanh", "Sigmoid", "HardSigmoid", "HardSwish", "Relu"),
            *("LeakyRelu", "Elu", "Selu", "Celu", "Mish", "Gelu", "Softplus", "Softsign"),
            *("ThresholdedRelu", "Clip", "Cast", "CastLike", "Round", "Floor", "Ceil"),
            *("IsNaN", "IsInf", "Softmax", "LogSoftmax", "CumSum", "Trilu", "LpNormalization"),
            *("InstanceNormalization", "GroupNormalization", "BatchNormalization"),
            *("DequantizeLinear", "ScatterElements", "ScatterND"),
        ),
        computing.as_first,
    ),
    **dict.fromkeys(
        (
            *("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1"),
            *("ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"),
        ),
        computing.reduced,
    ),
    **dict.fromkeys(("MatMul", "MatMulInteger"), computing.product),
    **dict.fromkeys(("Conv", "ConvInteger"), computing.conv),
    **dict.fromkeys(("MaxPool", "AveragePool"), computing.pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), computing.pool_all),
    **dict.fromkeys(("ArgMax", "ArgMin"), computing.placed),
    "LayerNormalization": computing.normalised,
    "DynamicQuantizeLinear": computing.quantised,
    "GatherElements": computing.as_second,
    "ConvTranspose": computing.conv_across,
    "Gemm": computing.gemm,
    "Reshape": moving.reshaped,
    "Transpose": moving.turned,
    "Squeeze": moving.squeezed,
    "Unsqueeze": moving.unsqueezed,
    "Flatten": moving.flat,
    "Concat": moving.joined,
    "Split": moving.split,
    "Slice": moving.sliced,
    "Gather": moving.gathered,
    "GatherND": moving.gathered_nd,
    "Pad": moving.padded,
    "Expand": moving.expanded,
    "Tile": moving.tiled,
    "ConstantOfShape": moving.filled,
    "Range": moving.ranged,
    "Resize": moving.resized,
    "TopK": moving.highest,
    "Shape": moving.of_its_shape,
    "Size": moving.one,
}
"""By the operator's name."""
OPTIONAL = {
    **dict.fromkeys((name for name in RULES if name.startswith("Reduce")), 1),
    **dict.fromkeys(("Clip", "Resize", "Split", "Squeeze", "Trilu"), 1),
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "LayerNormalization", "MatMulInteger"), 2),
    **dict.fromkeys(("ConvInteger", "DequantizeLinear", "Pad"), 2),
    "Slice": 3,
}
"""The first input that may be left out with others behind it."""
