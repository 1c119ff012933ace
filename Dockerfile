# The core of BPR: docker build -t bpr . && docker run --rm bpr doctor
FROM python:3.12-slim AS build
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.12-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels boundary-patch-refinement
RUN useradd --create-home bpr
USER bpr
WORKDIR /work
# The C library keeps memory for each thread; two shares are enough.
ENV MALLOC_ARENA_MAX=2
ENTRYPOINT ["bpr"]
CMD ["doctor"]
