using System.Text.Json;
using Amp.MetadataDb;
using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>What holds at any time between two transactions, read from the database alone.</summary>
internal static class JobInvariants
{
    /// <summary>What may follow what, by the state that an event tells.</summary>
    private static readonly HashSet<(string, string)> Paths =
    [
        ("", "enqueued"), ("enqueued", "started"), ("started", "started"), ("started", "completed"), ("started", "failed"), ("failed", "retried"), ("failed", "deadlettered"),
        ("retried", "started"), ("deadlettered", "dlq.replayed"), ("deadlettered", "dlq.purged"), ("dlq.replayed", "started"),
        ("", "deadlettered"), ("failed", "failed"), ("enqueued", "cancelled"), ("retried", "cancelled"), ("failed", "cancelled"), ("started", "cancelled"), ("dlq.replayed", "cancelled"),
    ];

    public static async Task AssertAsync(TestDatabase test)
    {
        await CountersAreThoseOfTheJobsAsync(test);
        var events = await test.Database.RunAsync(
            "reading events",
            c => c.QueryAsync(
                """SELECT tenant_id, tenant_seq, topic, event::text FROM amp_jobs."KafkaOutbox" WHERE tenant_seq IS NOT NULL ORDER BY id""", [],
                r => (Tenant: r.GetGuid(0), Number: r.GetInt64(1), Topic: r.GetString(2), Event: JsonDocument.Parse(r.GetString(3)).RootElement), CancellationToken.None),
            null, CancellationToken.None);

        // A tenant's events are numbered without gap, in the order in which they are sent.
        foreach (var tenant in events.GroupBy(e => e.Tenant))
        {
            Assert.Equal(Enumerable.Range(1, tenant.Count()).Select(number => (long)number), tenant.Select(e => e.Number));
        }

        var states = await test.Database.RunAsync(
            "reading jobs",
            c => c.QueryAsync(
                "SELECT id, state, attempt, max_attempts, (SELECT count(*) FROM amp_jobs.job_dlq d WHERE d.job_id = j.id) FROM amp_jobs.job j", [],
                r => (Id: r.GetGuid(0), State: r.GetString(1), Attempt: r.GetInt32(2), MaxAttempts: r.GetInt32(3), Letters: r.GetInt64(4)), CancellationToken.None),
            null, CancellationToken.None);
        var byId = states.ToDictionary(job => job.Id.ToString());
        var told = events.Where(e => e.Event.GetProperty("data").TryGetProperty("jobId", out _)).GroupBy(e => e.Event.Data("jobId")).ToDictionary(job => job.Key);
        Assert.All(states, job => Assert.Contains(job.Id.ToString(), told.Keys));
        Assert.All(states, job => Assert.True(job.Attempt <= job.MaxAttempts && (job.State == "deadlettered") == (job.Letters == 1), $"{job}"));
        foreach (var job in told.Values)
        {
            var steps = job.Select(e => e.Topic["eventzr.jobs.".Length..^".v1".Length]).ToList();
            AssertPath(steps);

            // What was told last is what is; but for attempts that were given back, which nobody is told of.
            var state = byId.TryGetValue(job.Key, out var row) ? row.State : "purged";
            var last = job.Last().Event.Data("status");
            Assert.True(last == state || (last == "running" && state == "queued"), $"{job.Key} was told to be {last} and is {state}");
        }
    }

    /// <summary>A job's events, by their names, follow each other as they may, and it is completed once at most.</summary>
    public static void AssertPath(List<string> steps)
    {
        Assert.All(steps.Prepend("").Zip(steps), step => Assert.Contains(step, Paths));
        Assert.True(steps.Count(step => step == "completed") <= 1);
    }

    private static async Task CountersAreThoseOfTheJobsAsync(TestDatabase test)
    {
        var wrong = await test.Database.RunAsync(
            "counting",
            c => c.QueryAsync(
                """
                SELECT t.tenant_id::text || ': ' || t.queued || ' queued, ' || t.running || ' running, ' || t.used_today || ' today'
                FROM amp_jobs.job_tenant t LEFT JOIN amp_jobs.job j USING (tenant_id)
                GROUP BY t.tenant_id
                HAVING t.queued <> count(*) FILTER (WHERE j.state = 'queued') OR t.running <> count(*) FILTER (WHERE j.state = 'running')
                    OR t.running > t.running_limit OR t.used_today > t.daily_limit
                """, [], r => r.GetString(0), CancellationToken.None),
            null, CancellationToken.None);
        Assert.Empty(wrong);
    }

    public static string Text(this JsonElement json, string name) => json.GetProperty(name).GetString()!;

    public static string Data(this JsonElement json, string name) => json.GetProperty("data").Text(name);
}
