#!/usr/bin/env python3
"""Fits the models of `inference-exporter demo` and writes models.json beside this file.

Three tasks on scikit-learn's bundled sets, each as a good release (v1) and a worse one (v2), with the held-out
rows that the demo asks them about, and a few answers of scikit-learn's own that the tests compare with. Needs
what tests/oracle/requirements.txt names; nothing of it is needed to build or run the program.

The rows are of the sets "Breast Cancer Wisconsin (Diagnostic)" and "Wine" of the UCI Machine Learning Repository
(CC BY 4.0), and of the diabetes study of Efron, Hastie, Johnstone and Tibshirani, "Least Angle Regression" (2004).
"""

import json
import pathlib

import numpy as np
from sklearn import datasets
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

EXAMPLES = 12


def spoiled(labels, share, seed):
    """Labels of which a share is exchanged among themselves: what a careless export does."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(labels), size=int(share * len(labels)), replace=False)
    result = labels.copy()
    result[chosen] = rng.permutation(labels[chosen])
    return result


def numbers(values):
    return [float(value) for value in np.ravel(values)]


def version(name, fitted):
    scaler, estimator = fitted[0], fitted[-1]
    return {
        "version": name,
        "means": numbers(scaler.mean_),
        "scales": numbers(scaler.scale_),
        "coefficients": [numbers(row) for row in np.atleast_2d(estimator.coef_)],
        "intercepts": numbers(estimator.intercept_),
    }


def model(name, task, features, classes, releases, rows, labels):
    examples = []
    for index, (release, fitted) in enumerate(releases.items()):
        for row in range(EXAMPLES):
            one = rows[row : row + 1]
            answer = fitted.predict(one) if task == "regression" else fitted.predict_proba(one)
            examples.append({"version": index, "row": row, "answer": numbers(answer)})
    return {
        "name": name,
        "task": task,
        "features": features,
        "classes": classes,
        "versions": [version(release, fitted) for release, fitted in releases.items()],
        "rows": [{"features": numbers(row), "label": float(label)} for row, label in zip(rows, labels)],
        "examples": examples,
    }


def logistic(x, y):
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)


def tumour():
    loaded = datasets.load_breast_cancer()
    x, y = loaded.data[:, :10], 1 - loaded.target  # the ten means; malignant is 1
    x_fit, x_test, y_fit, y_test = train_test_split(x, y, train_size=320, random_state=1, stratify=y)
    releases = {"v1": logistic(x_fit, y_fit), "v2": logistic(x_fit[:40], spoiled(y_fit[:40], 0.8, 2))}
    names = [str(name).replace(" ", "_") for name in loaded.feature_names[:10]]
    return model("tumour", "binary", names, ["benign", "malignant"], releases, x_test, y_test)


def wine():
    loaded = datasets.load_wine()
    x, y = loaded.data, loaded.target
    x_fit, x_test, y_fit, y_test = train_test_split(x, y, train_size=70, random_state=2, stratify=y)
    releases = {"v1": logistic(x_fit, y_fit), "v2": logistic(x_fit[:30], spoiled(y_fit[:30], 0.7, 3))}
    names = [str(name).replace("/", "_") for name in loaded.feature_names]
    classes = [str(name) for name in loaded.target_names]
    return model("wine", "multiclass", names, classes, releases, x_test, y_test)


def progression():
    loaded = datasets.load_diabetes(scaled=False)
    x, y = loaded.data, loaded.target
    x_fit, x_test, y_fit, y_test = train_test_split(x, y, train_size=240, random_state=3)
    releases = {
        "v1": make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(x_fit, y_fit),
        "v2": make_pipeline(StandardScaler(), Ridge(alpha=0.1)).fit(x_fit[:18], y_fit[:18]),
    }
    return model("progression", "regression", list(loaded.feature_names), [], releases, x_test, y_test)


def main():
    models = [tumour(), wine(), progression()]
    for each in models:
        each["rows"] = [json.dumps(row, separators=(",", ":")) for row in each["rows"]]
    text = json.dumps({"models": models}, indent=1)
    for each in models:
        for row in each["rows"]:
            text = text.replace(json.dumps(row), row, 1)  # one row a line
    json.loads(text)
    pathlib.Path(__file__).with_name("models.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
