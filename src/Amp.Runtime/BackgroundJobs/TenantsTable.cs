using Amp.MetadataDb;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>Tenants: what they may do, and whether they may work. Each method is one transaction.</summary>
internal sealed class TenantsTable(MetadataDatabase database, string? workTopic)
{
    /// <summary>Limits of a tier by its name; those of <c>standard</c> for one that is not known.</summary>
    public static TenantLimits LimitsOf(string tier) => tier.ToLowerInvariant() switch
    {
        "free" => new TenantLimits(Daily: 1_000, Queued: 500, Running: 5, Payload: 64 << 10),
        "pro" => new TenantLimits(Daily: 1_000_000, Queued: 200_000, Running: 500, Payload: 512 << 10),
        "enterprise" => new TenantLimits(Daily: 20_000_000, Queued: 2_000_000, Running: 5_000, Payload: 900 << 10),
        _ => TenantLimits.Default,
    };

    /// <summary>Makes tenants that are not there, with the limits of <c>standard</c>; part of a transaction.</summary>
    public static Task<int> AddAsync(NpgsqlConnection connection, IEnumerable<Guid> ids, CancellationToken cancellationToken)
    {
        var limits = TenantLimits.Default;
        return connection.ExecuteAsync(
            """
            INSERT INTO amp_jobs.job_tenant (tenant_id, tier, daily_limit, queued_limit, running_limit, payload_limit)
            SELECT id, 'standard', $2, $3, $4, $5 FROM unnest($1::uuid[]) id ORDER BY id ON CONFLICT DO NOTHING
            """, [ids.Distinct().ToArray(), limits.Daily, limits.Queued, limits.Running, limits.Payload], cancellationToken);
    }

    /// <summary>Sets a tenant's tier and limits, and makes the tenant when it is not there; part of a transaction.</summary>
    public static Task<int> SetLimitsAsync(NpgsqlConnection connection, Guid tenantId, string tier, TenantLimits limits, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(
            """
            INSERT INTO amp_jobs.job_tenant (tenant_id, tier, daily_limit, queued_limit, running_limit, payload_limit) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (tenant_id) DO UPDATE SET tier = EXCLUDED.tier, daily_limit = EXCLUDED.daily_limit, queued_limit = EXCLUDED.queued_limit,
                running_limit = EXCLUDED.running_limit, payload_limit = EXCLUDED.payload_limit
            """, [tenantId, tier, limits.Daily, limits.Queued, limits.Running, limits.Payload], cancellationToken);

    /// <summary>Sets whether a tenant may work: <c>active</c>, <c>suspended</c> or <c>closed</c>; part of a transaction. A closed one stays closed.</summary>
    public static Task<int> SetStatusAsync(NpgsqlConnection connection, Guid tenantId, string status, CancellationToken cancellationToken) =>
        connection.ExecuteAsync("UPDATE amp_jobs.job_tenant SET status = $2 WHERE tenant_id = $1 AND status <> 'closed'", [tenantId, status], cancellationToken);

    /// <summary>
    /// Sets tier and limits as a message says, unless a later one did: one whose time lies ahead counts as of now, so that a wrong clock
    /// does not shut out what comes later. Part of a transaction.
    /// </summary>
    public static Task<int> SetLimitsAsync(NpgsqlConnection connection, ControlMessage message, CancellationToken cancellationToken) =>
        SetLimitsAsync(connection, message, "tier_changed_at <= least($7, now())", [], cancellationToken);

    /// <summary>Sets tier and limits of a new tenant as a message says, unless anybody set them; a tenant that its first job or another message made is still new. Part of a transaction.</summary>
    public static Task<int> BeginLimitsAsync(NpgsqlConnection connection, ControlMessage message, CancellationToken cancellationToken)
    {
        var limits = TenantLimits.Default;
        return SetLimitsAsync(
            connection, message,
            "tier_changed_at = '-infinity' AND (tier, daily_limit, queued_limit, running_limit, payload_limit) = ('standard', $8, $9, $10, $11)",
            [limits.Daily, limits.Queued, limits.Running, limits.Payload], cancellationToken);
    }

    /// <summary>Sets whether a tenant may work as a message says, unless a later one did or it is closed; times as with the limits. Part of a transaction.</summary>
    public static Task<int> SetStatusAsync(NpgsqlConnection connection, ControlMessage message, string status, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(
            """
            UPDATE amp_jobs.job_tenant SET status = $2, status_changed_at = least($3, now())
            WHERE tenant_id = $1 AND status <> 'closed' AND status_changed_at <= least($3, now())
            """, [message.TenantId, status, Sql.Time(message.Time)], cancellationToken);

    /// <summary>As the other, in a transaction of its own.</summary>
    public Task SetLimitsAsync(Guid tenantId, string tier, TenantLimits limits, CancellationToken cancellationToken) =>
        database.RunAsync("setting limits", connection => SetLimitsAsync(connection, tenantId, tier, limits, cancellationToken), null, cancellationToken);

    /// <summary>As the other, in a transaction of its own; false when there is no such tenant that is not closed.</summary>
    public async Task<bool> SetStatusAsync(Guid tenantId, string status, CancellationToken cancellationToken) =>
        await database.RunAsync("setting a tenant's status", connection => SetStatusAsync(connection, tenantId, status, cancellationToken), null, cancellationToken) == 1;

    /// <summary>Counts a tenant's jobs of today anew; false when there is no such tenant.</summary>
    public Task<bool> ResetAsync(Guid tenantId, CancellationToken cancellationToken) => database.RunInTransactionAsync(
        "resetting a quota",
        async connection =>
        {
            var ledger = await TenantLedger.LockAsync(connection, workTopic, [tenantId], cancellationToken);
            if (!ledger.Has(tenantId))
            {
                return false;
            }

            ledger.Reset(tenantId);
            await connection.ExecuteAsync("DELETE FROM amp_jobs.quota_notice WHERE tenant_id = $1", [tenantId], cancellationToken);
            await ledger.SaveAsync(cancellationToken);
            return true;
        },
        null, cancellationToken);

    /// <summary>Begins the day of tenants that have done nothing today, a few hundred at a time, so that their events tell it.</summary>
    public async Task<int> BeginDayAsync(CancellationToken cancellationToken)
    {
        var stale = await database.RunAsync(
            "looking for tenants",
            connection => connection.QueryAsync(
                "SELECT tenant_id FROM amp_jobs.job_tenant WHERE day < (now() AT TIME ZONE 'UTC')::date AND used_today > 0 LIMIT 500", [], r => r.GetGuid(0), cancellationToken),
            null, cancellationToken);
        return stale.Count == 0 ? 0 : await database.RunInTransactionAsync(
            "beginning a day",
            async connection =>
            {
                var ledger = await TenantLedger.LockAsync(connection, workTopic, stale, cancellationToken);
                await ledger.SaveAsync(cancellationToken);
                return stale.Count;
            },
            null, cancellationToken);
    }

    /// <summary>Tenants by id, all when none is given; those that are not there are left out.</summary>
    public Task<List<AmpQuota>> ListAsync(IReadOnlyCollection<Guid> tenantIds, CancellationToken cancellationToken) => database.RunAsync(
        "reading quotas",
        connection => connection.QueryAsync(
            """
            SELECT tenant_id, tier, status, daily_limit, CASE WHEN day < today THEN 0 ELSE used_today END, queued_limit, queued, running_limit, running, payload_limit,
                (today + 1)::timestamp AT TIME ZONE 'UTC'
            FROM amp_jobs.job_tenant CROSS JOIN (SELECT (now() AT TIME ZONE 'UTC')::date AS today) t
            WHERE cardinality($1::uuid[]) = 0 OR tenant_id = ANY($1) ORDER BY tenant_id
            """,
            [tenantIds.ToArray()],
            r => new AmpQuota
            {
                TenantId = r.GetGuid(0),
                Tier = r.GetString(1),
                Status = r.GetString(2),
                DailyLimit = r.GetInt32(3),
                UsedToday = r.GetInt32(4),
                QueuedLimit = r.GetInt32(5),
                Queued = r.GetInt32(6),
                RunningLimit = r.GetInt32(7),
                Running = r.GetInt32(8),
                PayloadLimit = r.GetInt32(9),
                ResetsAt = r.Time(10),
            },
            cancellationToken),
        null, cancellationToken);

    private static Task<int> SetLimitsAsync(
        NpgsqlConnection connection, ControlMessage message, string condition, object[] parameters, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(
            $"""
            UPDATE amp_jobs.job_tenant SET tier = coalesce($2, tier), daily_limit = coalesce($3, daily_limit), queued_limit = coalesce($4, queued_limit),
                running_limit = coalesce($5, running_limit), payload_limit = coalesce($6, payload_limit), tier_changed_at = least($7, now())
            WHERE tenant_id = $1 AND {condition}
            """,
            [
                message.TenantId, Sql.Text(message.Tier), Sql.Int(message.Limits.Daily), Sql.Int(message.Limits.Queued), Sql.Int(message.Limits.Running),
                Sql.Int(message.Limits.Payload), Sql.Time(message.Time), .. parameters,
            ],
            cancellationToken);
}
