"""The exact types that a `model.skops` may hold, by the loader of skops that makes them.

They are what scikit-learn's estimators by name, in our pipeline, consist of once they are fitted:
numbers, containers, fitted estimators and their parts. No loader of functions, methods or partial
calls is among them, no type that reads files, and no class that calls what its data names. A test
fits every estimator and holds the list against it; a new version of scikit-learn may change it.
"""

from __future__ import annotations

from collections.abc import Mapping

_ESTIMATORS = {
    "sklearn._loss.link": "HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit",
    "sklearn._loss.loss": "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss "
    "HalfMultinomialLoss HalfPoissonLoss HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity "
    "HuberLoss PinballLoss",
    "sklearn.calibration": "CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration "
    "_TemperatureScaling",
    "sklearn.compose._column_transformer": "ColumnTransformer",
    "sklearn.compose._target": "TransformedTargetRegressor",
    "sklearn.cross_decomposition._pls": "CCA PLSCanonical PLSRegression",
    "sklearn.discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "sklearn.dummy": "DummyClassifier DummyRegressor",
    "sklearn.ensemble._bagging": "BaggingClassifier BaggingRegressor",
    "sklearn.ensemble._forest": "ExtraTreesClassifier ExtraTreesRegressor RandomForestClassifier "
    "RandomForestRegressor",
    "sklearn.ensemble._gb": "GradientBoostingClassifier GradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": "HistGradientBoostingClassifier "
    "HistGradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "sklearn.ensemble._weight_boosting": "AdaBoostClassifier AdaBoostRegressor",
    "sklearn.gaussian_process._gpc": "GaussianProcessClassifier "
    "_BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process._gpr": "GaussianProcessRegressor",
    "sklearn.gaussian_process.kernels": "ConstantKernel Product RBF",
    "sklearn.impute._base": "SimpleImputer",
    "sklearn.isotonic": "IsotonicRegression",
    "sklearn.kernel_ridge": "KernelRidge",
    "sklearn.linear_model._base": "LinearRegression",
    "sklearn.linear_model._bayes": "ARDRegression BayesianRidge",
    "sklearn.linear_model._coordinate_descent": "ElasticNet ElasticNetCV Lasso LassoCV",
    "sklearn.linear_model._glm.glm": "GammaRegressor PoissonRegressor TweedieRegressor",
    "sklearn.linear_model._huber": "HuberRegressor",
    "sklearn.linear_model._least_angle": "Lars LarsCV LassoLars LassoLarsCV LassoLarsIC",
    "sklearn.linear_model._logistic": "LogisticRegression LogisticRegressionCV",
    "sklearn.linear_model._omp": "OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV",
    "sklearn.linear_model._passive_aggressive": "PassiveAggressiveRegressor",
    "sklearn.linear_model._quantile": "QuantileRegressor",
    "sklearn.linear_model._ransac": "RANSACRegressor",
    "sklearn.linear_model._ridge": "Ridge RidgeCV",
    "sklearn.linear_model._stochastic_gradient": "SGDClassifier SGDRegressor",
    "sklearn.linear_model._theil_sen": "TheilSenRegressor",
    "sklearn.metrics._dist_metrics": "BrayCurtisDistance64 CanberraDistance64 ChebyshevDistance64 "
    "DiceDistance64 EuclideanDistance64 HammingDistance64 HaversineDistance64 JaccardDistance64 "
    "ManhattanDistance64 MinkowskiDistance64 RogersTanimotoDistance64 RussellRaoDistance64 "
    "SEuclideanDistance64 SokalMichenerDistance64 SokalSneathDistance64",
    "sklearn.multiclass": "OneVsOneClassifier OneVsRestClassifier",
    "sklearn.naive_bayes": "BernoulliNB CategoricalNB ComplementNB GaussianNB MultinomialNB",
    "sklearn.neighbors._ball_tree": "BallTree",
    "sklearn.neighbors._classification": "KNeighborsClassifier RadiusNeighborsClassifier",
    "sklearn.neighbors._kd_tree": "KDTree",
    "sklearn.neighbors._nearest_centroid": "NearestCentroid",
    "sklearn.neighbors._regression": "KNeighborsRegressor RadiusNeighborsRegressor",
    "sklearn.neighbors._unsupervised": "NearestNeighbors",
    "sklearn.neural_network._multilayer_perceptron": "MLPClassifier MLPRegressor",
    "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "sklearn.pipeline": "Pipeline",
    "sklearn.preprocessing._data": "MaxAbsScaler MinMaxScaler RobustScaler StandardScaler",
    "sklearn.preprocessing._encoders": "OneHotEncoder OrdinalEncoder",
    # What a ColumnTransformer makes of `passthrough`; `native_objects` sees that it calls nothing.
    "sklearn.preprocessing._function_transformer": "FunctionTransformer",
    "sklearn.preprocessing._label": "LabelBinarizer LabelEncoder",
    "sklearn.semi_supervised._label_propagation": "LabelPropagation LabelSpreading",
    "sklearn.svm._classes": "LinearSVC LinearSVR NuSVC NuSVR SVC SVR",
    "sklearn.tree._classes": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier "
    "ExtraTreeRegressor",
}
_LOSSES = {
    "sklearn._loss._loss": "CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss "
    "CyHalfMultinomialLoss CyHalfPoissonLoss CyHalfSquaredError CyHalfTweedieLoss "
    "CyHalfTweedieLossIdentity CyHuberLoss CyPinballLoss",
    "sklearn.linear_model._sgd_fast": "ModifiedHuber",
}
_NUMBERS = "bool float32 float64 int32 int64 str_ uint8 uint32 uint64"


def _names(modules: Mapping[str, str]) -> frozenset[str]:
    return frozenset(
        f"{module}.{name}" for module, names in modules.items() for name in names.split()
    )


ALLOWED: Mapping[str, frozenset[str]] = {
    "DTypeNode": _names({"numpy": "dtype"}),
    "DictNode": _names({"builtins": "dict"}),
    "JsonNode": _names({"builtins": "str"}),
    "ListNode": _names({"builtins": "list"}),
    "LossNode": _names(_LOSSES),
    "NdArrayNode": _names({"numpy": f"ndarray {_NUMBERS}"}),
    "ObjectNode": _names(_ESTIMATORS),
    "RandomGeneratorNode": _names({"numpy.random._generator": "Generator"}),
    "RandomStateNode": _names({"numpy.random.mtrand": "RandomState"}),
    "SliceNode": _names({"builtins": "slice"}),
    "SparseMatrixNode": _names({"scipy.sparse._csr": "csr_matrix"}),
    "TreeNode": _names({"sklearn.tree._tree": "Tree"}),
    "TupleNode": _names({"builtins": "tuple"}),
    "TypeNode": _names({"builtins": "bool float int str", "numpy": _NUMBERS}),
}
"""Loader of skops -> the types that it may make."""
