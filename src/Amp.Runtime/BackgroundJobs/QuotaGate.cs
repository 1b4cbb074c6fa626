using System.Text;
using System.Text.Json.Nodes;
using Amp.MetadataDb;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>Whether a tenant may have more jobs. Its row is locked, so that what is decided here is still so at the commit.</summary>
internal static class QuotaGate
{
    /// <summary>Counts jobs that were queued.</summary>
    public static void Count(TenantLedger.Tenant tenant, int jobs, bool isNew = true) =>
        (tenant.UsedToday, tenant.Queued) = (tenant.UsedToday + (isNew ? jobs : 0), tenant.Queued + jobs);

    /// <summary>The error when a tenant may not queue so many more; null when it may. A quota that is exceeded is told once a day.</summary>
    public static async Task<AmpException?> RefuseAsync(
        NpgsqlConnection connection, TenantLedger ledger, Guid tenantId, int count, string jobType, CancellationToken cancellationToken)
    {
        var tenant = ledger[tenantId];
        if (tenant.Status != "active")
        {
            return new AmpException("TenantSuspended", AmpErrorKind.InvalidState, $"Tenant {tenantId} is {tenant.Status}: no job of it is taken.")
            {
                Target = tenantId,
                RecommendedAction = "Find out why, and lift it for the tenant; then submit again.",
            };
        }

        return tenant.UsedToday + count > tenant.Limits.Daily
                ? await ExceededAsync(connection, ledger, tenant, "daily", tenant.Limits.Daily, tenant.UsedToday, count, jobType, cancellationToken)
            : tenant.Queued + count > tenant.Limits.Queued
                ? await ExceededAsync(connection, ledger, tenant, "queued", tenant.Limits.Queued, tenant.Queued, count, jobType, cancellationToken)
            : null;
    }

    /// <summary>The error when a payload of a tenant's jobs is larger than it may be.</summary>
    public static async Task<AmpException?> RefusePayloadAsync(
        NpgsqlConnection connection, TenantLedger ledger, IReadOnlyCollection<JobSubmission> jobs, CancellationToken cancellationToken)
    {
        var tenant = ledger[jobs.First().TenantId];
        var largest = jobs.MaxBy(job => Encoding.UTF8.GetByteCount(job.Payload))!;
        var size = Encoding.UTF8.GetByteCount(largest.Payload);
        return size <= tenant.Limits.Payload ? null
            : await ExceededAsync(connection, ledger, tenant, "payload", tenant.Limits.Payload, current: 0, size, largest.Type, cancellationToken);
    }

    private static async Task<AmpException> ExceededAsync(
        NpgsqlConnection connection, TenantLedger ledger, TenantLedger.Tenant tenant, string quota, int limit, int current, int requested, string jobType,
        CancellationToken cancellationToken)
    {
        var isFirst = await connection.ExecuteAsync(
            "INSERT INTO amp_jobs.quota_notice (tenant_id, quota, window_start) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            [tenant.Id, quota, tenant.Day.ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc)], cancellationToken) == 1;
        if (isFirst)
        {
            ledger.Tell(tenant.Id, JobTopics.QuotaExceeded, new JsonObject
            {
                ["tenantId"] = tenant.Id.ToString(),
                ["quota"] = quota,
                ["limit"] = limit,
                ["current"] = current,
                ["requested"] = requested,
                ["window"] = ledger.Window(),
                ["tier"] = tenant.Tier,
                ["jobType"] = jobType,
                ["exceededAt"] = TenantLedger.Time(ledger.Now),
            });
        }

        return new AmpException(
            "QuotaExceeded", AmpErrorKind.LimitReached,
            quota == "payload"
                ? $"A payload of {jobType} has {requested} bytes, and tenant {tenant.Id} may send {limit}."
                : $"Tenant {tenant.Id} would have {current + requested} jobs ({quota}), and may have {limit}.")
        {
            Target = tenant.Id,
            RecommendedAction = quota == "daily" ? $"Wait until {ledger.Window()["end"]}, or raise the tenant's limit." : "Send less at once, or raise the tenant's limit.",
        };
    }
}
