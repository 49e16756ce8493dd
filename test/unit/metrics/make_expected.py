"""Writes expected.json: inputs and the values of scikit-learn 1.2 and SciPy 1.10. The tests read the file; they need no Python."""

import json
import warnings
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn import metrics as m

warnings.simplefilter("ignore")
rng = np.random.default_rng(7)


def classes(n, k, right):
    labels = rng.integers(0, k, n)
    guess = np.where(rng.random(n) < right, labels, rng.integers(0, k, n))
    return guess, labels


def per_average(score, p, t, **kw):
    names = ["micro", "macro", "weighted"]
    out = {a: score(t, p, average=a, **kw) for a in names}
    out["none"] = list(score(t, p, average=None, **kw))
    return out


p4, t4 = classes(60, 4, 0.6)
t4[t4 == 3] = 1  # class 3 is predicted and never true
p2, t2 = classes(40, 2, 0.7)
scores2 = np.round(rng.random(40) * 0.6 + t2 * 0.4, 2)  # with ties
prob2 = np.clip(scores2, 0, 1)
t3 = rng.integers(0, 3, 50)
logits3 = rng.normal(size=(50, 3)) + 1.2 * np.eye(3)[t3]
prob3 = np.exp(logits3) / np.exp(logits3).sum(1, keepdims=True)
t6 = rng.integers(0, 6, 30)
scores6 = rng.normal(size=(30, 6))
y = rng.normal(size=35) * 3 + 1
z = y + rng.normal(size=35)
z[:6] = np.round(z[:6])
y[:6] = np.round(y[:6])

fpr, tpr, thr = m.roc_curve(t2, scores2)
pre, rec, pthr = m.precision_recall_curve(t2, scores2)
ind_p, ind_t = rng.integers(0, 2, (12, 5)), rng.integers(0, 2, (12, 5))

data = {
    "p4": p4, "t4": t4, "p2": p2, "t2": t2, "scores2": scores2, "prob2": prob2, "t3": t3, "prob3": prob3, "t6": t6,
    "scores6": scores6, "y": y, "z": z, "indicatorsP": ind_p.ravel(), "indicatorsT": ind_t.ravel(),
    "precision": per_average(m.precision_score, p4, t4, zero_division=0),
    "recall": per_average(m.recall_score, p4, t4, zero_division=0),
    "recallOne": per_average(m.recall_score, p4, t4, zero_division=1),
    "f1": per_average(m.f1_score, p4, t4, zero_division=0),
    "fBeta2": per_average(m.fbeta_score, p4, t4, beta=2, zero_division=0),
    "jaccard": per_average(m.jaccard_score, p4, t4, zero_division=0),
    "binary": [f(t2, p2) for f in (m.precision_score, m.recall_score, m.f1_score, m.jaccard_score)],
    "binary0": [f(t2, p2, pos_label=0) for f in (m.precision_score, m.recall_score, m.f1_score, m.jaccard_score)],
    "balancedAccuracy": m.balanced_accuracy_score(t4, p4),
    "matthews": m.matthews_corrcoef(t4, p4),
    "kappa": [m.cohen_kappa_score(p4, t4, weights=w) for w in (None, "linear", "quadratic")],
    "hamming": m.hamming_loss(ind_t, ind_p),
    "topK": [m.top_k_accuracy_score(t6, scores6, k=k, labels=range(6)) for k in (1, 2, 3, 5)],
    "roc": [fpr, tpr, thr[1:]],
    "rocAuc": m.roc_auc_score(t2, scores2),
    "rocAuc3": [m.roc_auc_score(t3, prob3, multi_class="ovr", average=a) for a in ("macro", "weighted")],
    "pr": [pre, rec, pthr],
    "averagePrecision": m.average_precision_score(t2, scores2),
    "averagePrecision3": m.average_precision_score(np.eye(3)[t3], prob3, average="macro"),
    "logLoss": [m.log_loss(t2, prob2), m.log_loss(t3, prob3)],
    "brier": m.brier_score_loss(t2, prob2),
    "regression": [
        m.mean_squared_error(y, z), m.mean_squared_error(y, z, squared=False), m.mean_absolute_error(y, z),
        m.mean_absolute_percentage_error(y, z), m.r2_score(y, z), m.explained_variance_score(y, z), m.median_absolute_error(y, z),
    ],
    "correlation": [stats.pearsonr(z, y)[0], stats.spearmanr(z, y)[0]],
    "normal": [[q, stats.norm.ppf(q)] for q in (1e-9, 0.001, 0.025, 0.3, 0.5, 0.9, 0.999)],
    "chi2": [[x, stats.chi2.sf(x, 1)] for x in (0.01, 0.5, 3.841, 7.9, 12.0, 40.0)],
    "binomial": [[n, k, stats.binomtest(k, n, 0.5).pvalue] for n, k in ((8, 1), (20, 6), (24, 11), (300, 120))],
}


def plain(x):
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple, np.ndarray)):
        return [plain(v) for v in x]
    return x.item() if isinstance(x, np.generic) else x


Path(__file__).with_name("expected.json").write_text(json.dumps(plain(data)) + "\n")
