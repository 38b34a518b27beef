# syntax=docker/dockerfile:1

# Two images: the service, which is what is built where no target is named, and
#
#   docker build --target playground .
#
# which has the simulated core and providers as well; docker-compose.yml runs those in it.

# The tag is exact: that of the Python and the Debian that the tests ran with.
FROM python:3.11.7-slim-bookworm AS build
RUN python -m venv /tools && python -m venv --without-pip /venv
COPY requirements-build.lock requirements.lock /
RUN /tools/bin/pip install --require-hashes --only-binary :all: \
        --requirement /requirements-build.lock
RUN /tools/bin/pip --python /venv/bin/python install --require-hashes \
        --only-binary :all: --requirement /requirements.lock
COPY pyproject.toml README.md LICENSE /src/
COPY fsm /src/fsm
COPY handlers /src/handlers
COPY providers /src/providers
COPY migrations /src/migrations
COPY payment_service /src/payment_service
# Built by tools whose hashes were checked: with build isolation pip would fetch them
# as it finds them. The second wheel is without the world that tests play.
RUN /tools/bin/pip wheel --no-index --no-deps --no-build-isolation \
        --wheel-dir /dist/playground /src \
    && rm -r /src/providers/testing /src/payment_service/playground \
    && /tools/bin/pip wheel --no-index --no-deps --no-build-isolation \
        --wheel-dir /dist/service /src \
    && /tools/bin/pip --python /venv/bin/python install --no-index --no-deps \
        /dist/service/*.whl \
    && /tools/bin/pip --python /venv/bin/python check

FROM build AS build-playground
COPY requirements-playground.lock /
RUN /tools/bin/pip --python /venv/bin/python install --require-hashes \
        --only-binary :all: --requirement /requirements-playground.lock \
    && /tools/bin/pip --python /venv/bin/python install --no-index --no-deps \
        --force-reinstall /dist/playground/*.whl \
    && /tools/bin/pip --python /venv/bin/python check

FROM python:3.11.7-slim-bookworm AS bare
LABEL org.opencontainers.image.title="payment-service" \
      org.opencontainers.image.licenses="Apache-2.0"
# A volume that is mounted at the folder takes its owner over: he adds anchors' lines.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin payment \
    && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/payment
# The base image comes without bytecode, which every start and every health check would
# make again, for they run as a user who cannot keep it.
RUN python -m compileall -q /usr/local/lib/python3.11
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PAYMENT_CONFIG=/etc/payment/payment.toml \
    PAYMENT_HTTP_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-m", "payment_service.healthcheck"]
ENTRYPOINT ["payment-service"]
CMD ["run"]

FROM bare AS playground
COPY --from=build-playground /venv /venv

# Last: it is what is built where no target is named.
FROM bare AS service
COPY --from=build /venv /venv
