# The platform as one image; compose.yaml starts its parts. Nothing in it is a secret.
FROM python:3.11-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY leak_assets leak_assets
# torch first and exact: a range would let pip choose a build with gigabytes of CUDA packages.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --index-url "${TORCH_INDEX}" torch==2.13.0 \
    && /venv/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 leak \
    && useradd --uid 10001 --gid leak --no-log-init --home-dir /data leak \
    && install --directory --owner leak --group leak /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH \
    LEAK_ASSETS_HOME=/data \
    DAGSTER_HOME=/data/var/dagster \
    DAGSTER_DISABLE_TELEMETRY=1 \
    PYTHONUNBUFFERED=1
WORKDIR /data
USER 10001:10001
VOLUME /data
EXPOSE 8000
CMD ["leak-assets", "serve", "--host", "0.0.0.0", "--port", "8000"]
