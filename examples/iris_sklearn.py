"""The Python step of iris-sklearn.ts: a plain function, testable on its own."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import StandardScaler
from sklearn.pipeline import make_pipeline


def fit(X, y, columns, strength):
    table = np.asarray(X).reshape(-1, int(columns))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    predicted = cross_val_predict(model, table, y, cv=5)
    model.fit(table, y)
    return {
        "strength": float(strength),
        "accuracy": float(np.mean(predicted == y)),
        "coefficients": model[-1].coef_.ravel().astype(np.float64),
        "predicted": predicted.astype(np.int32),
    }
