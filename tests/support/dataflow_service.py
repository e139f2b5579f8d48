"""Dataflow for the tests: the part of its REST interface that Beam's runner calls, on loopback.

A submitted job is run: the pipeline that is staged in the bucket, on Beam's local runner. Tests thus cover the
submission itself, including its options, its hash and its staged files.
"""

import contextlib
import datetime
import hashlib
import json
import re
import threading
from collections.abc import Iterator

from apache_beam.options import pipeline_options
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.transforms import environments
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from photochrom.storage import files
from tests.support.loopback import Handler, LoopbackServer

_JOBS = re.compile(r"^/v1b3/projects/([^/]+)/locations/([^/]+)/jobs(?:/([^/]+))?(/messages|/metrics)?$")
RUNNING, DONE, FAILED = "JOB_STATE_RUNNING", "JOB_STATE_DONE", "JOB_STATE_FAILED"


def staged_pipeline(job: dict) -> beam_runner_api_pb2.Pipeline:
    """Returns the pipeline that a job's options name, after a check of its hash."""
    options = job["environment"]["sdkPipelineOptions"]["options"]
    data = files.read_bytes(options["pipelineUrl"])
    assert hashlib.sha256(data).hexdigest() == options["pipelineProtoHash"]
    return beam_runner_api_pb2.Pipeline.FromString(data)


def run_locally(job: dict) -> None:
    """Runs a job's pipeline on Beam's local runner, in this process instead of a container."""
    pipeline = staged_pipeline(job)
    embedded = environments.EmbeddedPythonEnvironment.default().to_runner_api(None)
    for environment in pipeline.components.environments.values():
        environment.CopyFrom(embedded)
    result = fn_runner.FnApiRunner().run_via_runner_api(pipeline, pipeline_options.PipelineOptions([]))
    assert result.wait_until_finish() == "DONE"


class DataflowService(LoopbackServer):
    """The service.

    Attributes:
        endpoint: value for --dataflow_endpoint; Beam uses REST only for an endpoint named localhost.
        jobs: submitted jobs, by id.
        requests: method and path of each request.
        refusal: (HTTP status, Google's status, message) of the answer to every request; None for no refusal.
        error: message with which a job fails instead of being run.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, dict] = {}
        self.requests: list[str] = []
        self.refusal: tuple[int, str, str] | None = None
        self.error = ""
        super().__init__(_Handler)
        self.endpoint = f"http://localhost:{self.port}"

    def key(self) -> str:
        """Returns a temporary key of a service account, as JSON, whose tokens this server issues."""
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "project-1",
                "private_key_id": "1",
                "private_key": made.private_bytes(*kinds).decode(),
                "client_email": "launcher@project-1.iam.gserviceaccount.com",
                "token_uri": f"{self.endpoint}/token",
            }
        )

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict]:
        self.requests.append(f"{method} {path}")
        if path == "/token":
            return 200, {"access_token": "token", "token_type": "Bearer", "expires_in": 3600}
        match = _JOBS.match(path)
        assert match, path
        project, region, job_id, part = match.groups()
        if self.refusal:
            code, status, message = self.refusal
            return code, {"error": {"code": code, "status": status, "message": message}}
        if method == "POST":
            return self._submit(json.loads(body), project, region)
        if part == "/messages":
            return 200, {"jobMessages": self._messages()}
        if not job_id:
            return 200, {"jobs": [job for job in self.jobs.values() if job["currentState"] == RUNNING]}
        return 200, {"metrics": []} if part else self.jobs[job_id]

    def _submit(self, job: dict, project: str, region: str) -> tuple[int, dict]:
        for other in self.jobs.values():
            if other["name"] == job["name"] and other["currentState"] == RUNNING:
                return 200, other  # as the service does: Beam recognizes it by the id of the request
        job = {**job, "id": f"job-{len(self.jobs) + 1}", "projectId": project, "location": region}
        self.jobs[job["id"]] = {**job, "currentState": RUNNING}
        answer = dict(self.jobs[job["id"]])
        threading.Thread(target=self._run, args=(self.jobs[job["id"]],), daemon=True).start()
        return 200, answer

    def _run(self, job: dict) -> None:
        try:
            if not self.error:
                run_locally(job)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
        job["currentState"] = FAILED if self.error else DONE

    def _messages(self) -> list[dict]:
        now = datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
        line = {"id": "1", "time": now, "messageText": self.error, "messageImportance": "JOB_MESSAGE_ERROR"}
        return [line] if self.error else []


class _Handler(Handler):
    owner: DataflowService

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, value = self.owner.answer(self.command, self.path.partition("?")[0], body)
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = _serve


@contextlib.contextmanager
def running() -> Iterator[DataflowService]:
    """Starts the service."""
    service = DataflowService()
    try:
        yield service
    finally:
        service.close()
