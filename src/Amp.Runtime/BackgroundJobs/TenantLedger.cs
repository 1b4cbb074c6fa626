using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Amp.MetadataDb;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>
/// Tenants whose rows a transaction has locked: their counters as they will be, and the events that go with them. Rows are locked in
/// the order of their ids, before any job, so two transactions never wait for each other; and since they stay locked until the commit,
/// the order of an event's number is the order of commits.
/// </summary>
internal sealed class TenantLedger
{
    private const int Shards = 16;

    private readonly NpgsqlConnection _connection;
    private readonly Dictionary<Guid, Tenant> _tenants;
    private readonly string? _workTopic;
    private readonly List<OutgoingRow> _rows = [];

    private TenantLedger(NpgsqlConnection connection, string? workTopic, Dictionary<Guid, Tenant> tenants, DateTimeOffset now)
    {
        _connection = connection;
        _workTopic = workTopic;
        _tenants = tenants;
        Now = now;
    }

    /// <summary>The transaction's time, by the database's clock.</summary>
    public DateTimeOffset Now { get; }

    public Tenant this[Guid id] => _tenants[id];

    /// <summary>Whether there is such a tenant.</summary>
    public bool Has(Guid id) => _tenants.ContainsKey(id);

    /// <summary>Locks tenants by id.</summary>
    /// <param name="connection">In a transaction.</param>
    /// <param name="workTopic">The topic of messages to workers; null when nothing is published, and so no event kept.</param>
    /// <param name="ids">The tenants; those that are not there are left out.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static Task<TenantLedger> LockAsync(NpgsqlConnection connection, string? workTopic, IEnumerable<Guid> ids, CancellationToken cancellationToken) =>
        LockAsync(connection, workTopic, "SELECT id AS wanted FROM unnest($1::uuid[]) id", ids.ToArray(), cancellationToken);

    /// <summary>Locks the tenants of jobs.</summary>
    public static Task<TenantLedger> LockForAsync(
        NpgsqlConnection connection, string? workTopic, IReadOnlyCollection<Guid> jobIds, CancellationToken cancellationToken) =>
        LockAsync(connection, workTopic, "SELECT tenant_id AS wanted FROM unnest($1::uuid[]) AS n(job) JOIN amp_jobs.job ON id = job", jobIds.ToArray(), cancellationToken);

    private static async Task<TenantLedger> LockAsync(
        NpgsqlConnection connection, string? workTopic, string tenants, Guid[] ids, CancellationToken cancellationToken)
    {
        // Whoever is frozen while it has tenants locked loses them, rather than to hold up everybody until it wakes up.
        var now = DateTimeOffset.MinValue;
        var rows = await connection.QueryByIndexAsync(
            $"""
            SELECT tenant_id, tier, status, daily_limit, queued_limit, running_limit, payload_limit, day, used_today, queued, running, event_seq, now(),
                set_config('idle_in_transaction_session_timeout', '10s', TRUE)
            FROM (SELECT DISTINCT wanted FROM ({tenants}) w ORDER BY wanted) w
                CROSS JOIN LATERAL (SELECT * FROM amp_jobs.job_tenant WHERE tenant_id = wanted FOR UPDATE) t
            """,
            [ids],
            r =>
            {
                now = r.Time(12);
                return new Tenant(r.GetGuid(0), r.GetString(1), r.GetString(2), new TenantLimits(r.GetInt32(3), r.GetInt32(4), r.GetInt32(5), r.GetInt32(6)))
                {
                    Day = r.GetFieldValue<DateOnly>(7),
                    UsedToday = r.GetInt32(8),
                    Queued = r.GetInt32(9),
                    Running = r.GetInt32(10),
                    Events = r.GetInt64(11),
                };
            },
            cancellationToken);
        var ledger = new TenantLedger(connection, workTopic, rows.ToDictionary(tenant => tenant.Id), now);
        rows.ForEach(ledger.BeginDay);
        return ledger;
    }

    /// <summary>Adds an event, which commits with the change it tells of.</summary>
    /// <param name="tenantId">Whose.</param>
    /// <param name="topic">The topic, which is the event's type.</param>
    /// <param name="data">What it tells.</param>
    public void Tell(Guid tenantId, string topic, JsonObject data)
    {
        if (_workTopic is null)
        {
            return;
        }

        var tenant = _tenants[tenantId];
        var number = ++tenant.Events;
        var id = $"evt-{Guid.CreateVersion7()}";
        var envelope = new JsonObject
        {
            ["specversion"] = "1.0",
            ["type"] = topic,
            ["source"] = "jobs-svc",
            ["id"] = id,
            ["time"] = Time(Now),
            ["datacontenttype"] = "application/json",
            ["subject"] = tenantId.ToString(),
            ["tenantseq"] = number.ToString(CultureInfo.InvariantCulture),
            ["partitionkey"] = tenantId.ToString(),
        };
        if (Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } trace })
        {
            envelope["traceparent"] = trace;
        }

        envelope["data"] = data;
        _rows.Add(new OutgoingRow(topic, tenantId, number, null, id, envelope.ToJsonString()));
    }

    /// <summary>Adds a message that brings a job to a worker.</summary>
    public void Dispatch(JobRow job)
    {
        if (_workTopic is not null)
        {
            _rows.Add(new OutgoingRow(_workTopic, job.TenantId, null, job.Key ?? job.Id.ToString(), job.Id.ToString(), JobMessage.Write(job)));
        }
    }

    /// <summary>Writes counters and events; the transaction's last statements.</summary>
    public async Task SaveAsync(CancellationToken cancellationToken)
    {
        var tenants = _tenants.Values.ToArray();
        await _connection.ExecuteAsync(
            """
            UPDATE amp_jobs.job_tenant t SET day = n.day, used_today = n.used_today, queued = n.queued, running = n.running, event_seq = n.event_seq
            FROM unnest($1::uuid[], $2::date[], $3::int[], $4::int[], $5::int[], $6::bigint[]) AS n(tenant_id, day, used_today, queued, running, event_seq)
            WHERE t.tenant_id = n.tenant_id
            """,
            [
                tenants.Select(t => t.Id).ToArray(), tenants.Select(t => t.Day).ToArray(), tenants.Select(t => t.UsedToday).ToArray(),
                tenants.Select(t => t.Queued).ToArray(), tenants.Select(t => t.Running).ToArray(), tenants.Select(t => t.Events).ToArray(),
            ],
            cancellationToken);
        if (_rows.Count > 0)
        {
            await _connection.ExecuteAsync(
                """
                INSERT INTO amp_jobs."KafkaOutbox" (shard, topic, tenant_id, tenant_seq, key, event_id, event)
                SELECT * FROM unnest($1::smallint[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::json[])
                """,
                [
                    _rows.Select(row => Shard(row.TenantId)).ToArray(), _rows.Select(row => row.Topic).ToArray(), _rows.Select(row => row.TenantId).ToArray(),
                    _rows.Select(row => row.Number).ToArray(), Sql.TextArray(_rows.Select(row => row.Key)), _rows.Select(row => row.Id).ToArray(),
                    Sql.JsonArray(_rows.Select(row => row.Content)),
                ],
                cancellationToken);
        }
    }

    /// <summary>RFC 3339 in UTC with milliseconds, as the envelope has it.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    // The same for a tenant always, and on every machine: it decides who sends the tenant's events.
    private static short Shard(Guid tenantId) => (short)(tenantId.ToByteArray()[^1] % Shards);

    private void BeginDay(Tenant tenant)
    {
        var today = DateOnly.FromDateTime(Now.UtcDateTime);
        if (tenant.Day < today)
        {
            tenant.Day = today;
            if (tenant.UsedToday > 0)
            {
                Reset(tenant.Id);
            }
        }
    }

    /// <summary>Counts a tenant's jobs of the day anew, which its events tell.</summary>
    public void Reset(Guid tenantId)
    {
        var tenant = _tenants[tenantId];
        var used = tenant.UsedToday;
        tenant.UsedToday = 0;
        Tell(tenant.Id, JobTopics.QuotaReset, new JsonObject
        {
            ["tenantId"] = tenant.Id.ToString(),
            ["resetAt"] = Time(Now),
            ["window"] = Window(),
            ["previousUsage"] = new JsonObject { ["daily"] = used },
            ["limits"] = new JsonObject { ["daily"] = tenant.Limits.Daily, ["queued"] = tenant.Limits.Queued, ["running"] = tenant.Limits.Running },
            ["tier"] = tenant.Tier,
        });
    }

    /// <summary>The day that quotas count, from midnight to midnight in UTC.</summary>
    public JsonObject Window()
    {
        var start = new DateTimeOffset(Now.UtcDateTime.Date, TimeSpan.Zero);
        return new JsonObject { ["start"] = Time(start), ["end"] = Time(start.AddDays(1)) };
    }

    /// <summary>A tenant, as it will be when the transaction commits.</summary>
    internal sealed record Tenant(Guid Id, string Tier, string Status, TenantLimits Limits)
    {
        public DateOnly Day { get; set; }

        public int UsedToday { get; set; }

        public int Queued { get; set; }

        public int Running { get; set; }

        public long Events { get; set; }
    }

    private readonly record struct OutgoingRow(string Topic, Guid TenantId, long? Number, string? Key, string Id, string Content);
}
