-- Background jobs: tenants, the queue, its history and the outbox. Everything is in a schema of its own, also on a database of ampd's.

-- Limits and counters of a tenant. Its row is locked by every change of its jobs, so that the counters are exact and the order of
-- event_seq is the order of commits.
CREATE TABLE amp_jobs.job_tenant (
    tenant_id     UUID PRIMARY KEY,
    tier          TEXT NOT NULL,
    status        TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'closed')),
    daily_limit   INTEGER NOT NULL,
    queued_limit  INTEGER NOT NULL,
    running_limit INTEGER NOT NULL,
    payload_limit INTEGER NOT NULL,
    day           DATE NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    used_today    INTEGER NOT NULL DEFAULT 0 CHECK (used_today >= 0),
    queued        INTEGER NOT NULL DEFAULT 0 CHECK (queued >= 0),
    running       INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),
    event_seq     BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- lease is the fence: it rises with every claim and never goes back, while attempt does when a job is given back.
CREATE TABLE amp_jobs.job (
    id               UUID PRIMARY KEY,
    tenant_id        UUID NOT NULL REFERENCES amp_jobs.job_tenant (tenant_id),
    type             TEXT NOT NULL,
    key              TEXT,
    priority         SMALLINT NOT NULL,
    payload          JSONB NOT NULL,
    state            TEXT NOT NULL
        CHECK (state IN ('queued', 'running', 'retrying', 'completed', 'failed', 'deadlettered', 'cancelled')),
    run_at           TIMESTAMPTZ NOT NULL,
    attempt          INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    max_attempts     INTEGER NOT NULL CHECK (max_attempts >= 1),
    lease            BIGINT NOT NULL DEFAULT 0,
    worker_id        UUID,
    deadline_at      TIMESTAMPTZ,
    cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
    idem_key         TEXT,
    replays          INTEGER NOT NULL DEFAULT 0,
    last_error       JSONB,
    result           JSONB,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    started_at       TIMESTAMPTZ,
    finished_at      TIMESTAMPTZ,
    CONSTRAINT job_idempotency_unique UNIQUE (tenant_id, idem_key)
) WITH (fillfactor = 70);
CREATE INDEX job_queued ON amp_jobs.job (priority DESC, run_at, id) WHERE state = 'queued';
CREATE INDEX job_retrying ON amp_jobs.job (run_at) WHERE state = 'retrying';
CREATE INDEX job_running ON amp_jobs.job (worker_id) WHERE state = 'running';

CREATE TABLE amp_jobs.job_error (
    job_id  UUID NOT NULL REFERENCES amp_jobs.job (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    lease   BIGINT NOT NULL,
    at      TIMESTAMPTZ NOT NULL,
    kind    TEXT NOT NULL,
    message TEXT NOT NULL,
    code    TEXT,
    PRIMARY KEY (job_id, lease)
);

CREATE TABLE amp_jobs.job_dlq (
    job_id    UUID PRIMARY KEY REFERENCES amp_jobs.job (id) ON DELETE CASCADE,
    tenant_id UUID NOT NULL,
    type      TEXT NOT NULL,
    reason    TEXT NOT NULL,
    error     JSONB NOT NULL,
    attempts  INTEGER NOT NULL,
    dead_at   TIMESTAMPTZ NOT NULL
);
CREATE INDEX job_dlq_tenant ON amp_jobs.job_dlq (tenant_id, dead_at);

-- An event of each change of state, written with it; a relay sends and deletes them.
CREATE TABLE amp_jobs."KafkaOutbox" (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard      SMALLINT NOT NULL,
    topic      TEXT NOT NULL,
    tenant_id  UUID NOT NULL,
    tenant_seq BIGINT NOT NULL,
    event_id   TEXT NOT NULL UNIQUE,
    event      JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, tenant_seq)
);
CREATE INDEX outbox_shard_order ON amp_jobs."KafkaOutbox" (shard, id);

-- Who sends the events of a share of the tenants. Whoever takes a share raises its epoch, and what an owner of an earlier one deletes
-- does not count.
CREATE TABLE amp_jobs.outbox_shard (
    shard       SMALLINT PRIMARY KEY,
    owner       UUID,
    epoch       BIGINT NOT NULL DEFAULT 0,
    lease_until TIMESTAMPTZ NOT NULL DEFAULT '-infinity'
);
INSERT INTO amp_jobs.outbox_shard (shard) SELECT generate_series(0, 15);

-- Events that no broker can take.
CREATE TABLE amp_jobs.outbox_dead (
    id         BIGINT PRIMARY KEY,
    topic      TEXT NOT NULL,
    tenant_id  UUID NOT NULL,
    tenant_seq BIGINT NOT NULL,
    event_id   TEXT NOT NULL UNIQUE,
    event      JSONB NOT NULL,
    error      TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    parked_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE amp_jobs.quota_notice (
    tenant_id    UUID NOT NULL,
    quota        TEXT NOT NULL,
    window_start TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, quota, window_start)
);

-- A worker process. Its heartbeat speaks for all its jobs.
CREATE TABLE amp_jobs.job_worker (
    worker_id    UUID PRIMARY KEY,
    host         TEXT NOT NULL,
    pid          INTEGER NOT NULL,
    started_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    heartbeat_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
