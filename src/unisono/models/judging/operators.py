"""Which operators a graph may have: their answer depends on their inputs alone, and their cost is bounded by them.

Left out: operators that draw random numbers, decode files, or hold sequences, maps and optional values; those for
training; and whatever is of another domain than ONNX's own two.
"""

from __future__ import annotations

from collections.abc import Mapping

_ARITHMETIC = """
    Abs Add BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil Clip CumSum Div Einsum Floor Gemm MatMul
    MatMulInteger Max Mean Min Mod Mul Neg Pow Reciprocal Round Sign Sqrt Sub Sum Det
"""
_FUNCTIONS = """
    Acos Acosh Asin Asinh Atan Atanh Celu Cos Cosh Elu Erf Exp Gelu HardSigmoid HardSwish Hardmax LeakyRelu Log
    LogSoftmax Mish PRelu Relu Selu Shrink Sigmoid Sin Sinh Softmax Softplus Softsign Tan Tanh ThresholdedRelu
"""
_LOGIC = "And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Where Xor"
_REDUCTIONS = """
    ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare TopK
"""
_SHAPES = """
    Cast CastLike CenterCropPad Compress Concat Constant ConstantOfShape DepthToSpace Expand EyeLike Flatten Gather
    GatherElements GatherND Identity NonZero OneHot Pad Range Reshape ReverseSequence ScatterElements ScatterND
    Shape Size Slice SpaceToDepth Split Squeeze Tile Transpose Trilu Unique Unsqueeze
"""
_NETWORKS = """
    AffineGrid AveragePool BatchNormalization Col2Im Conv ConvInteger ConvTranspose DeformConv Dropout GRU
    GlobalAveragePool GlobalLpPool GlobalMaxPool GridSample GroupNormalization InstanceNormalization LRN LSTM
    LayerNormalization LpNormalization LpPool MaxPool MaxRoiPool MaxUnpool MeanVarianceNormalization NonMaxSuppression
    RNN Resize RoiAlign
"""
_WHOLE_NUMBERS = "DequantizeLinear DynamicQuantizeLinear QLinearConv QLinearMatMul QuantizeLinear"
_SIGNALS = "BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT"
_TEXT = "RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer"
_CONTROL = "If Loop Scan"
_CLASSICAL = """
    ArrayFeatureExtractor Binarizer CategoryMapper FeatureVectorizer Imputer LabelEncoder LinearClassifier
    LinearRegressor Normalizer OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsemble
    TreeEnsembleClassifier TreeEnsembleRegressor
"""

OPERATORS: Mapping[str, frozenset[str]] = {
    "": frozenset(
        " ".join(
            (
                *(_ARITHMETIC, _FUNCTIONS, _LOGIC, _REDUCTIONS, _SHAPES, _NETWORKS),
                *(_WHOLE_NUMBERS, _SIGNALS, _TEXT, _CONTROL),
            )
        ).split()
    ),
    "ai.onnx.ml": frozenset(_CLASSICAL.split()),
}
"""Domain -> names of operators."""

_COSTLY = frozenset(["Det", "Einsum", "Gemm", "MatMul", "MatMulInteger", "QLinearConv", "QLinearMatMul"])
_READING = " ".join((_ARITHMETIC, _FUNCTIONS, _LOGIC, _REDUCTIONS, _SHAPES, _WHOLE_NUMBERS))

CHEAP = frozenset(_READING.split()) - _COSTLY
"""Operators whose cost is about that of reading their inputs and writing their outputs."""

MOVING = frozenset(["Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"])
"""Operators that give on what they are given."""

REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike"), "gives another answer each time"),
    **dict.fromkeys(("RandomUniform", "RandomUniformLike"), "gives another answer each time"),
    "ImageDecoder": "decodes files",
    **dict.fromkeys(("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"), "is for training"),
    **dict.fromkeys(("Optional", "OptionalGetElement", "OptionalHasElement"), "is of values that may be absent"),
    **dict.fromkeys(
        ("ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert"),
        "is of sequences",
    ),
    **dict.fromkeys(("SequenceLength", "SequenceMap", "SplitToSequence"), "is of sequences"),
    **dict.fromkeys(("CastMap", "DictVectorizer", "ZipMap"), "is of maps"),
    **dict.fromkeys(("Scatter", "Upsample"), "was taken out of ONNX"),
}
"""Operators of ONNX that are left out -> why."""
