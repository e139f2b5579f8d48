"""The operations that the graph of a bundle or of a dataset may have: an allow-list, so that a new one is refused.

They are those of Keras's networks in inference mode, of tensorflow-transform's graph, and more of the same kinds: pure
functions of their inputs, control flow, and the reading of the model's own variables. None opens a file, a socket or a
library, or calls Python. Source of the names: https://www.tensorflow.org/api_docs/python/tf/raw_ops
"""

_SHAPES = """
BroadcastArgs BroadcastTo ConcatV2 Const EnsureShape ExpandDims Fill GatherNd GatherV2 Identity IdentityN
InvertPermutation MirrorPad NoOp OneHot OnesLike Pack Pad PadV2 Placeholder Range Rank Reshape ReverseV2 Select
SelectV2 Shape ShapeN Size Slice Split SplitV Squeeze StopGradient StridedSlice Tile Transpose Unpack Where
ZerosLike
"""
_NUMBERS = """
Abs Acos Add AddN AddV2 All Any ArgMax ArgMin Asin Atan Atan2 BatchMatMulV2 Bitcast Cast Ceil ClipByValue Cos Cosh
Cumprod Cumsum Div DivNoNan Einsum Equal Erf Erfc Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual Inv
IsFinite IsInf IsNan L2Loss Less LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Min
Minimum Mod Mul MulNoNan Neg NotEqual Pow Prod RealDiv Reciprocal Rint Round Rsqrt Sigmoid Sign Sin Sinh Sqrt Square
SquaredDifference Sub Sum Tan Tanh TopKV2 Xdivy Xlogy
"""
_NETWORKS = """
AvgPool BatchToSpaceND BiasAdd Conv2D Conv2DBackpropInput DepthToSpace DepthwiseConv2dNative Elu FusedBatchNormV3
LeakyRelu LogSoftmax MaxPool Relu Relu6 ResizeBicubic ResizeBilinear ResizeNearestNeighbor Selu Softmax Softplus
Softsign SpaceToBatchND SpaceToDepth
"""
_RECORDS = """
DecodeRaw
"""
_CONTROL = """
Assert Case If PartitionedCall ReadVariableOp StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile
VarHandleOp While
"""

_SAVER = """
AssignVariableOp DisableCopyOnRead MergeV2Checkpoints RestoreV2 SaveV2 ShardedFilename StaticRegexFullMatch StringJoin
"""

EVERYWHERE = frozenset(f"{_SHAPES} {_NUMBERS} {_NETWORKS} {_RECORDS} {_CONTROL}".split())
# Also in the main graph, which gives the variables their first values. TensorFlow's Python runs none of it.
IN_MAIN = EVERYWHERE | {"AssignVariableOp", "VarIsInitializedOp"}
# Also in the functions by which other programs than TensorFlow's Python save and restore the variables.
IN_SAVER = EVERYWHERE | frozenset(_SAVER.split())
