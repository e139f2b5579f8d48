"""Retries and time limits of requests to Google Cloud Storage."""

from google.cloud.storage.retry import DEFAULT_RETRY

# 408, 429, 5xx, connections that fail or break and truncated answers: exponential backoff with full jitter
# (google.api_core), for this long in all.
RETRY_SECONDS = 300.0
RETRY = DEFAULT_RETRY.with_delay(initial=0.25, maximum=30.0, multiplier=2.0).with_timeout(RETRY_SECONDS)
# Seconds for connecting, and between two pieces of an answer.
TIMEOUT = (10.0, 60.0)
