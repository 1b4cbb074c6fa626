using System.Text.Json;
using Amp.MetadataDb;
using Amp.Support;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>What holds at any time between two transactions, read from the database, and from the topics when events were sent.</summary>
internal static class JobInvariants
{
    /// <summary>What may follow what, by the state that an event tells.</summary>
    private static readonly HashSet<(string, string)> Paths =
    [
        ("", "enqueued"), ("enqueued", "started"), ("started", "started"), ("started", "completed"), ("started", "failed"), ("failed", "retried"), ("failed", "deadlettered"),
        ("retried", "started"), ("deadlettered", "dlq.replayed"), ("deadlettered", "dlq.purged"), ("dlq.replayed", "started"),
        ("", "deadlettered"), ("failed", "failed"), ("enqueued", "cancelled"), ("retried", "cancelled"), ("failed", "cancelled"), ("started", "cancelled"), ("dlq.replayed", "cancelled"),
    ];

    /// <summary>
    /// Asserts them: counters are those of the jobs, and within their limits; each tenant's events are all there, numbered without gap, in their
    /// order within a partition; each job's are a path that a job may take, and end with the state that it has; nobody used more attempts than
    /// there are, and the dead have their letter.
    /// </summary>
    /// <param name="test">The database.</param>
    /// <param name="read">All events as they were read from their topics; null to look at those in the outbox, when none was sent.</param>
    public static async Task AssertAsync(TestDatabase test, IReadOnlyCollection<ToldEvent>? read = null)
    {
        await CountersAreThoseOfTheJobsAsync(test);
        var told = (read ?? await WaitingAsync(test)).DistinctBy(told => told.Id).ToList();
        var byTenant = told.ToLookup(told => told.Tenant);
        Assert.All(
            await QueryAsync(test, "SELECT tenant_id, event_seq FROM amp_jobs.job_tenant", r => (Id: r.GetGuid(0), Events: r.GetInt64(1))),
            tenant => Assert.Equal(Enumerable.Range(1, (int)tenant.Events).Select(number => (long)number), byTenant[tenant.Id].Select(told => told.Number).Order()));
        Assert.All(
            told.GroupBy(told => (read is null ? "" : told.Topic, told.Partition, told.Tenant)),
            partition => Assert.Equal(partition.Select(told => told.Number).Order(), partition.Select(told => told.Number)));

        var states = await QueryAsync(
            test, "SELECT id, state, attempt, max_attempts, (SELECT count(*) FROM amp_jobs.job_dlq d WHERE d.job_id = j.id) FROM amp_jobs.job j",
            r => (Id: r.GetGuid(0), State: r.GetString(1), Attempt: r.GetInt32(2), MaxAttempts: r.GetInt32(3), Letters: r.GetInt64(4)));
        var byId = states.ToDictionary(job => job.Id.ToString());
        var byJob = told.Where(told => told.Job is not null).OrderBy(told => told.Number).GroupBy(told => told.Job!).ToDictionary(job => job.Key);
        Assert.All(states, job => Assert.Contains(job.Id.ToString(), byJob.Keys));
        Assert.All(states, job => Assert.True(job.Attempt <= job.MaxAttempts && (job.State == "deadlettered") == (job.Letters == 1), $"{job}"));
        foreach (var job in byJob.Values)
        {
            AssertPath([.. job.Select(told => told.Name)]);

            // What was told last is what is; but for attempts that were given back, which nobody is told of.
            var state = byId.TryGetValue(job.Key, out var row) ? row.State : "purged";
            var last = job.Last().Json.Data("status");
            Assert.True(last == state || (last == "running" && state == "queued"), $"{job.Key} was told to be {last} and is {state}");
        }
    }

    /// <summary>A job's events, by their names, follow each other as they may, and it is completed once at most.</summary>
    private static void AssertPath(List<string> steps)
    {
        Assert.All(steps.Prepend("").Zip(steps), step => Assert.Contains(step, Paths));
        Assert.True(steps.Count(step => step == "completed") <= 1);
    }

    private static async Task CountersAreThoseOfTheJobsAsync(TestDatabase test) => Assert.Empty(await QueryAsync(
        test,
        """
        SELECT t.tenant_id::text || ': ' || t.queued || ' queued, ' || t.running || ' running, ' || t.used_today || ' today'
        FROM amp_jobs.job_tenant t LEFT JOIN amp_jobs.job j USING (tenant_id)
        GROUP BY t.tenant_id
        HAVING t.queued <> count(*) FILTER (WHERE j.state = 'queued') OR t.running <> count(*) FILTER (WHERE j.state = 'running')
            OR t.running > t.running_limit OR t.used_today > t.daily_limit
        """,
        r => r.GetString(0)));

    private static Task<List<ToldEvent>> WaitingAsync(TestDatabase test) => QueryAsync(
        test, """SELECT topic, tenant_id, event::text FROM amp_jobs."KafkaOutbox" WHERE tenant_seq IS NOT NULL ORDER BY id""",
        r => new ToldEvent(r.GetString(0), 0, r.GetGuid(1).ToString(), "", JsonDocument.Parse(r.GetString(2)).RootElement));

    private static Task<List<T>> QueryAsync<T>(TestDatabase test, string sql, Func<NpgsqlDataReader, T> map) => test.Database.RunAsync(
        "looking", connection => connection.QueryAsync(sql, [], map, CancellationToken.None), null, CancellationToken.None);

    public static string Text(this JsonElement json, string name) => json.GetProperty(name).GetString()!;

    public static string Data(this JsonElement json, string name) => json.GetProperty("data").Text(name);
}
