"""Devices and hosts; two hosts are two processes connected over loopback."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest
import tensorflow as tf

from photochrom import errors
from photochrom.model import bundle
from trainer import train
from trainer.training import hosts

pytestmark = pytest.mark.job  # whole jobs or trainings

FLAGS = ["--backbone=none", "--width=4", "--decoder_width=8", "--batch_size=4", "--steps=2", "--fine_tune_steps=1",
         "--confidence_steps=1", "--eval_every=2", "--checkpoint_every=2"]  # fmt: skip


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _start(argv):
    workers = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "trainer.train", *argv],
            env={**environment, "TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": task})},
            stderr=subprocess.PIPE,
            text=True,
        )
        for task in ({"type": "worker", "index": index} for index in range(2))
    ]


def _finish(processes):
    """Returns the log of each process; all must succeed."""
    logs = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], logs
    return logs


def _digest(text):
    return re.search(r"weights have SHA-256 (\w{64})", text).group(1)


def test_two_hosts_train_one_bundle(dataset, tmp_path):
    logs = _finish(_start([f"--data={dataset}", f"--model_dir={tmp_path}", *FLAGS]))
    assert all("training on 2 devices, of all hosts" in text for text in logs)
    assert _digest(logs[0]) == _digest(logs[1])
    opened = bundle.open_bundle(str(tmp_path / "bundle"))
    assert opened.info["steps"] == 4
    assert not list((tmp_path / ".workers").iterdir())


@pytest.mark.parametrize(
    "config", ["", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}']
)
def test_invalid_cluster_is_refused_at_once(config, dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(errors.UsageError, match=r"TF_CONFIG is .*expected \{\"cluster\": \{\"worker\""):
        train.run([f"--data={dataset}", f"--model_dir={tmp_path / 'run'}", *FLAGS])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("batch_size", "devices"), [(3, 2), (4, 3), (1, 2)])
def test_batch_must_divide_among_devices(monkeypatch, batch_size, devices):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind] * devices)
    message = f"--batch_size is {batch_size}, it does not divide among {devices} devices"
    with pytest.raises(errors.UsageError, match=message):
        hosts.choose_strategy(batch_size)


@pytest.mark.parametrize(("index", "folder"), [(0, "run"), (1, "run/.workers/1")])
def test_only_the_chief_writes_to_model_dir(monkeypatch, index, folder):
    cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    assert hosts.index() == index
    assert hosts.own_folder(pathlib.Path("run")) == pathlib.Path(folder)
