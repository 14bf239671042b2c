"""The Gaussian process against scikit-learn's and the textbook."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from moo_nas.algorithms.surrogate import gaussian_process
from moo_nas.algorithms.surrogate.gaussian_process import ConditionedProcess
from moo_nas.algorithms.surrogate.outcome import Outcome

GROUPS = [np.array([0, 1]), np.array([2])]


def data(n=30, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, 3))
    return features, np.sin(features[:, 0]) + 0.3 * features[:, 2] + 0.05 * rng.standard_normal(n)


def learnt():
    process = ConditionedProcess(GROUPS)
    process.learn(*data())
    process.condition(*data())
    return process


def test_predictions_are_those_of_scikit_learn_with_the_same_kernel():
    process, (features, targets) = learnt(), data()
    weights = np.exp(process.logs[:2])
    signal, noise = np.exp(process.logs[2:])
    kernel = ConstantKernel(signal, "fixed") * Matern(1.0, "fixed", nu=2.5)
    kernel += WhiteKernel(noise + 1e-8, "fixed")
    scale = np.sqrt(weights[[0, 0, 1]])
    peer = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(features * scale, targets)
    there = data(7, seed=1)[0]
    mean, sd = peer.predict(there * scale, return_std=True)
    found, variance = process.predict(there)
    assert found == pytest.approx(mean, abs=1e-7)
    assert variance + noise + 1e-8 == pytest.approx(sd**2, abs=1e-7)


def test_what_is_learnt_is_likelier_than_the_prior_and_explains_the_data():
    process, (features, targets) = learnt(), data()
    prior = ConditionedProcess(GROUPS)
    prior.condition(features, targets)

    def likelihood(of):
        points = of._scaled(features)
        covariance = of._kernel(points, points) + (of.noise + 1e-8) * np.eye(len(targets))
        return multivariate_normal(np.zeros(len(targets)), covariance).logpdf(targets)

    assert likelihood(process) > likelihood(prior)
    there, truth = data(200, seed=2)
    assert np.corrcoef(process.predict(there)[0], truth)[0, 1] > 0.95


def test_the_gradient_is_that_of_the_loss():
    features, targets = data(12)
    process = ConditionedProcess(GROUPS)
    parts = (process._apart(features).reshape(-1, 144), targets)
    for seed in range(3):
        at = process.logs + np.random.default_rng(seed).standard_normal(len(process.logs))
        assert (
            check_grad(lambda x: process._loss(x, *parts)[0], lambda x: process._loss(x, *parts)[1], at)
            < 1e-4
        )


def test_observations_one_by_one_are_as_all_at_once_and_can_be_forgotten():
    features, targets = data()
    candidates = data(9, seed=3)[0]
    process = learnt()
    process.condition(features[:20], targets[:20])
    process.track(candidates)
    before = process.mean.copy(), process.variance.copy()
    for row in range(20, 30):
        process.add(features[row], targets[row])
    mean, variance = learnt().predict(candidates)
    assert process.mean == pytest.approx(mean, abs=1e-8)
    assert process.variance == pytest.approx(variance, abs=1e-8)
    process.keep(np.array([4, 2]))
    assert process.mean == pytest.approx(mean[[4, 2]], abs=1e-8)
    process.forget(20)
    assert process.mean == pytest.approx(before[0][[4, 2]], abs=1e-8)
    assert process.variance == pytest.approx(before[1][[4, 2]], abs=1e-8)


def test_errors_at_observations_left_out_are_those_of_leaving_them_out():
    process, (features, targets) = learnt(), data()
    errors, spreads = process.left_out()
    rest = np.arange(1, 30)
    process.condition(features[rest], targets[rest])
    mean, variance = process.predict(features[:1])
    assert errors[0] == pytest.approx(targets[0] - mean[0], abs=1e-7)
    assert spreads[0] ** 2 == pytest.approx(variance[0] + process.noise + 1e-8, abs=1e-7)


def test_a_positive_outcome_is_believed_on_its_logarithm_and_any_other_as_it_is():
    features, targets = data()
    positive, signed = Outcome(GROUPS), Outcome(GROUPS)
    positive.learn(features, np.exp(10 * targets))
    signed.learn(features, targets)
    for outcome in (positive, signed):
        outcome.track(features)
    assert positive.belief.mean == pytest.approx(10 * signed.belief.mean, abs=0.01)
    assert not positive.takes(np.array([-1.0]))
    assert signed.takes(np.array([-1.0]))


def test_doubted_features_matter_only_if_they_explain_much():
    features, targets = data(60)
    found = []
    for of in (features[:, 2], np.random.default_rng(9).standard_normal(60)):
        process = ConditionedProcess(GROUPS, n_doubted=1)
        process.learn(np.column_stack([features[:, :2], of]), targets)
        found.append(np.exp(process.logs[1] - process.logs[0]))
    assert found[0] > 5 * found[1]
    assert found[1] < 0.02


def test_beliefs_are_wide_enough_for_what_was_left_out():
    features, targets = data(40)
    # Noise that no feature explains, heavier than the prior expects.
    noisy = targets + np.random.default_rng(5).standard_t(2, 40) * 0.4
    outcome = Outcome(GROUPS)
    outcome.learn(features, noisy)
    assert 1 <= outcome._inflation <= 2


def test_of_many_candidates_predictions_are_nearly_and_of_those_kept_wholly_as_exact(monkeypatch):
    process, there = learnt(), data(500, seed=4)[0]
    mean, variance = process.predict(there)
    monkeypatch.setattr(gaussian_process, "_MANY", 100)
    process.track(there)
    assert process.mean == pytest.approx(mean, abs=1e-4)
    assert process.variance == pytest.approx(variance, abs=1e-4)
    process.keep(np.arange(50))
    assert process.mean == pytest.approx(mean[:50], abs=1e-9)
    assert process.variance == pytest.approx(variance[:50], abs=1e-9)
