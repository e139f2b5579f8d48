# Photochrom for one machine, or one pod: any user, read-only root file system, no network needed.
#   CPU:    docker build --tag photochrom .
#   GPU:    docker build --build-arg EXTRAS=gpu --tag photochrom-gpu .
#   train:  docker build --build-arg EXTRAS=prepare,train --tag photochrom-all .
#   run:    docker run --rm --read-only --tmpfs /tmp --user $(id -u) --volume /archive/scans:/scans:ro \
#             --volume /archive/coloured:/coloured photochrom colorize --input /scans --output /coloured
# The image of Dataflow's and Flink's workers is another one: dataflow/Dockerfile.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ARG EXTRAS=
COPY constraints.txt setup.py pyproject.toml README.md LICENSE /source/
COPY photochrom /source/photochrom
COPY pipelines /source/pipelines
COPY trainer /source/trainer
COPY serving /source/serving
RUN pip install --no-cache-dir --constraint /source/constraints.txt "/source${EXTRAS:+[$EXTRAS]}" && pip check \
    && rm -rf /source
# Caches and temporary files go to /tmp, for a user without a home.
ENV HOME=/tmp PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["photochrom"]
CMD ["--help"]
