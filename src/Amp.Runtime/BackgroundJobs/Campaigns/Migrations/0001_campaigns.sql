-- Campaigns, who signed up, who brought whom, and rewards. Everything is in a schema of its own, beside that of background jobs: rows
-- change in the transactions that complete jobs.

CREATE TABLE amp_campaigns.campaign (
    id                  UUID PRIMARY KEY,
    tenant_id           UUID NOT NULL, -- whose jobs may use it
    name                TEXT NOT NULL,
    url                 TEXT NOT NULL, -- its page, for links in e-mails
    points_per_referral INTEGER NOT NULL DEFAULT 1 CHECK (points_per_referral BETWEEN 0 AND 1000000),
    created_at          TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- position is in no index and pages keep room, so that a recalculation writes no index entries.
CREATE TABLE amp_campaigns.campaign_user (
    id                 UUID PRIMARY KEY,
    campaign_id        UUID NOT NULL REFERENCES amp_campaigns.campaign (id) ON DELETE CASCADE,
    email              TEXT NOT NULL,
    name               TEXT NOT NULL,
    original_position  BIGINT NOT NULL,
    position           BIGINT NOT NULL,
    verification_token UUID NOT NULL DEFAULT gen_random_uuid(), -- proves that an e-mail was read
    verified_at        TIMESTAMPTZ,
    created_at         TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (campaign_id, id)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX campaign_user_email ON amp_campaigns.campaign_user (campaign_id, lower(email));

-- Who brought whom; both are of the campaign, and a user was brought once.
CREATE TABLE amp_campaigns.referral (
    id          UUID PRIMARY KEY,
    campaign_id UUID NOT NULL,
    referrer_id UUID NOT NULL,
    referred_id UUID NOT NULL CHECK (referred_id <> referrer_id),
    verified_at TIMESTAMPTZ, -- counts from then on
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (campaign_id, referred_id),
    FOREIGN KEY (campaign_id, referrer_id) REFERENCES amp_campaigns.campaign_user (campaign_id, id) ON DELETE CASCADE,
    FOREIGN KEY (campaign_id, referred_id) REFERENCES amp_campaigns.campaign_user (campaign_id, id) ON DELETE CASCADE
);
CREATE INDEX referral_referrer ON amp_campaigns.referral (campaign_id, referrer_id, verified_at);

CREATE TABLE amp_campaigns.reward (
    id          UUID PRIMARY KEY,
    campaign_id UUID NOT NULL REFERENCES amp_campaigns.campaign (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    description TEXT,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (campaign_id, id)
);

-- A reward that a user earned.
CREATE TABLE amp_campaigns.user_reward (
    id              UUID PRIMARY KEY,
    campaign_id     UUID NOT NULL,
    user_id         UUID NOT NULL,
    reward_id       UUID NOT NULL,
    status          TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'revoked')),
    earned_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    delivered_at    TIMESTAMPTZ,
    delivery_job_id UUID, -- the job that delivered it; jobs are deleted after a while
    CHECK ((status = 'delivered') = (delivered_at IS NOT NULL)),
    FOREIGN KEY (campaign_id, user_id) REFERENCES amp_campaigns.campaign_user (campaign_id, id) ON DELETE CASCADE,
    FOREIGN KEY (campaign_id, reward_id) REFERENCES amp_campaigns.reward (campaign_id, id)
);
CREATE INDEX user_reward_user ON amp_campaigns.user_reward (user_id, earned_at);
CREATE INDEX user_reward_reward ON amp_campaigns.user_reward (reward_id);

-- E-mails that a server took, by the job. They outlive the jobs, whose messages may be read again from Kafka.
CREATE TABLE amp_campaigns.sent_email (
    job_id  UUID PRIMARY KEY,
    user_id UUID NOT NULL,
    kind    TEXT NOT NULL,
    sent_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
