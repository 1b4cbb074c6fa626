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
    event_seq     BIGINT NOT NULL DEFAULT 0,
    -- Times of the last messages of other services that set tier and limits, and the status. Topics are read in no order among each
    -- other, so each of the two has its own.
    tier_changed_at   TIMESTAMPTZ NOT NULL DEFAULT '-infinity',
    status_changed_at TIMESTAMPTZ NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

-- lease is the fence: it rises with every claim and never goes back, while attempt does when a job is given back. ordinal is the order
-- of jobs with the same key: it is drawn while the tenant is locked, so its order is that of commits.
CREATE TABLE amp_jobs.job (
    id               UUID PRIMARY KEY,
    ordinal          BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id        UUID NOT NULL,
    type             TEXT NOT NULL,
    key              TEXT,
    priority         SMALLINT NOT NULL,
    payload          JSON NOT NULL,
    state            TEXT NOT NULL
        CHECK (state IN ('queued', 'running', 'retrying', 'completed', 'failed', 'deadlettered', 'cancelled')),
    run_at           TIMESTAMPTZ NOT NULL,
    dispatched_at    TIMESTAMPTZ, -- when its message was written to the outbox; null while none was since it was queued
    attempt          INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    max_attempts     INTEGER NOT NULL CHECK (max_attempts >= 1),
    lease            BIGINT NOT NULL DEFAULT 0,
    worker_id        UUID,
    deadline_at      TIMESTAMPTZ,
    cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
    idem_key         TEXT,
    replays          INTEGER NOT NULL DEFAULT 0,
    last_error       JSON,
    result           JSON,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    started_at       TIMESTAMPTZ,
    finished_at      TIMESTAMPTZ
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX job_idempotency ON amp_jobs.job (tenant_id, idem_key) WHERE idem_key IS NOT NULL;
CREATE INDEX job_queued ON amp_jobs.job (priority DESC, run_at, id) WHERE state = 'queued';
CREATE INDEX job_undispatched ON amp_jobs.job (run_at) WHERE state = 'queued' AND dispatched_at IS NULL;
CREATE INDEX job_keyed ON amp_jobs.job (tenant_id, key, ordinal) WHERE key IS NOT NULL AND state IN ('queued', 'running');
CREATE INDEX job_retrying ON amp_jobs.job (run_at) WHERE state = 'retrying';
CREATE INDEX job_running ON amp_jobs.job (worker_id) WHERE state = 'running';
CREATE INDEX job_finished ON amp_jobs.job (finished_at) WHERE finished_at IS NOT NULL;

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
    error     JSON NOT NULL,
    attempts  INTEGER NOT NULL,
    dead_at   TIMESTAMPTZ NOT NULL
);
CREATE INDEX job_dlq_tenant ON amp_jobs.job_dlq (tenant_id, dead_at);

-- An event of each change of state, and a message for the workers of each job that is to run, written with it; a relay sends and
-- deletes them. One index, since each row is written once, read once and deleted.
CREATE TABLE amp_jobs."KafkaOutbox" (
    id         BIGINT GENERATED ALWAYS AS IDENTITY,
    shard      SMALLINT NOT NULL,
    topic      TEXT NOT NULL,
    tenant_id  UUID NOT NULL,
    tenant_seq BIGINT, -- dense over the events of a tenant; null for a message to workers
    key        TEXT,   -- the message's; null for the tenant's id
    event_id   TEXT NOT NULL,
    event      JSON NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (shard, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

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
    tenant_seq BIGINT,
    event_id   TEXT NOT NULL,
    event      JSON NOT NULL,
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

-- What was consumed of other services' topics, so that nothing counts twice, and what could not be understood.
CREATE TABLE amp_jobs.inbox (
    source   TEXT NOT NULL,
    event_id TEXT NOT NULL,
    seen_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (source, event_id)
);
CREATE INDEX inbox_seen ON amp_jobs.inbox (seen_at);
CREATE TABLE amp_jobs.inbox_dead (
    topic     TEXT NOT NULL,
    partition INTEGER NOT NULL,
    "offset"  BIGINT NOT NULL,
    message   BYTEA NOT NULL,
    error     TEXT NOT NULL,
    seen_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, "offset")
);

-- A worker process. Its heartbeat speaks for all its jobs.
CREATE TABLE amp_jobs.job_worker (
    worker_id    UUID PRIMARY KEY,
    host         TEXT NOT NULL,
    pid          INTEGER NOT NULL,
    pool_size    INTEGER NOT NULL DEFAULT 1,
    types        TEXT[] NOT NULL DEFAULT '{}', -- patterns of the types that it has handlers for
    status       JSON, -- what it counted, for people to look at
    started_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    heartbeat_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
