# syntax=docker/dockerfile:1

FROM python:3.11-slim AS build
RUN python -m venv /venv
COPY requirements.lock /
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: --requirement /requirements.lock
# The sources run as they are, so no build backend has to be trusted without a hash.
COPY pyproject.toml LICENSE /app/
COPY fsm /app/fsm
COPY handlers /app/handlers
COPY providers /app/providers
COPY migrations /app/migrations
COPY payment_service /app/payment_service
RUN printf '%s\n' '#!/venv/bin/python' 'import sys' \
        'from payment_service.cli import main' 'sys.exit(main())' \
        > /venv/bin/payment-service \
    && chmod 755 /venv/bin/payment-service \
    && /venv/bin/python -m compileall -q /app /venv/lib

FROM python:3.11-slim
LABEL org.opencontainers.image.title="payment-service" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin payment
COPY --from=build /venv /venv
COPY --from=build /app /app
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PAYMENT_CONFIG=/etc/payment/payment.toml \
    PAYMENT_HTTP_HOST=0.0.0.0
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000 9100
# The api answers on its own port, every other role on the metrics port.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web\nfor port in (os.getenv('PAYMENT_METRICS_PORT', '9100'), os.getenv('PAYMENT_HTTP_PORT', '8000')):\n    try:\n        web.urlopen(f'http://127.0.0.1:{port}/healthz', timeout=2).close()\n    except OSError:\n        continue\n    raise SystemExit(0)\nraise SystemExit(1)"]
ENTRYPOINT ["payment-service"]
CMD ["run"]
