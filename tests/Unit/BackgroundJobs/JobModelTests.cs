using Amp.MetadataDb;
using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>The queue does what a model of a few lines does, whatever is asked of it and in whatever order.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class JobModelTests(PostgresFixture postgres)
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly JobFault Fault = new("Test", "no");

    [ToolTheory("postgres")]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Commands_InAnyOrder_DoWhatTheModelDoes(int seed)
    {
        await using var test = await postgres.CreateAsync();
        var queue = new JobQueue(test.Database, JobTopics.Work);
        await queue.InitializeAsync(autoMigrate: true, None);
        var (random, worker, tenant) = (new Random(seed), Guid.NewGuid(), Guid.NewGuid());
        var model = new Dictionary<Guid, Model>();
        var leases = new List<(Guid Id, long Lease)>();
        await test.BeatAsync(worker);
        for (var step = 0; step < 250; step++)
        {
            var id = model.Count == 0 ? Guid.Empty : model.Keys.ElementAt(random.Next(model.Count));
            var command = random.Next(11);
            switch (command)
            {
                case 0 or 1:
                    var attempts = random.Next(1, 4);
                    model[(await queue.SubmitAsync([new JobSubmission(tenant, "job.test", "{}") { MaxAttempts = attempts }], None))[0].Id] = new Model(attempts);
                    break;
                case 2 or 3:
                    foreach (var claimed in (await queue.ExchangeAsync(worker, [], [id], _ => TimeSpan.FromMinutes(1), None)).Claimed)
                    {
                        Assert.Equal("queued", model[claimed.Job.JobId].State);
                        model[claimed.Job.JobId].Claim();
                        Assert.Equal((model[claimed.Job.JobId].Lease, model[claimed.Job.JobId].Attempt), (claimed.Lease, claimed.Job.Attempt));
                        leases.Add((claimed.Job.JobId, claimed.Lease));
                    }

                    Assert.NotEqual("queued", model.GetValueOrDefault(id)?.State);
                    break;
                case 4 or 5 when leases.Count > 0:
                    // Of now or of long ago, and perhaps for the second time.
                    var (held, lease) = leases[random.Next(leases.Count)];
                    var verdict = (JobVerdict)random.Next(6);
                    var toDeadLetters = random.Next(2) == 0;
                    var ended = await queue.ExchangeAsync(
                        worker, [new AttemptEnd(held, lease, verdict) { Fault = Fault, Pause = TimeSpan.Zero, ToDeadLetters = toDeadLetters }], [], _ => null, None);
                    Assert.Equal(model.GetValueOrDefault(held)?.End(lease, verdict, toDeadLetters) ?? false, ended.Ended.Contains(held));
                    break;
                case 6:
                    await queue.SweepAsync(None);
                    model.Values.ToList().ForEach(job => job.Due());
                    break;
                case 7:
                    await test.ExecuteAsync("UPDATE amp_jobs.job SET deadline_at = now() WHERE id = $1 AND state = 'running'", id);
                    await queue.SweepAsync(None);
                    model.Values.ToList().ForEach(job => job.Due());
                    model.GetValueOrDefault(id)?.Lose();

                    // Its pause is as long as it likes.
                    await test.ExecuteAsync("UPDATE amp_jobs.job SET run_at = now() WHERE state = 'retrying'");
                    break;
                case 8:
                    await queue.CancelAsync([id], "user", "whim", None);
                    model.GetValueOrDefault(id)?.Cancel();
                    break;
                case 9:
                    Assert.Equal(model.GetValueOrDefault(id)?.Replay() ?? false, await queue.ReplayAsync([id], "whim", None) == 1);
                    Assert.Equal(model.GetValueOrDefault(id)?.Retry() ?? false, (await queue.RetryAsync([id], None)).Count == 1);
                    break;
                default:
                    if (await queue.PurgeAsync([id], "whim", None) == 1)
                    {
                        Assert.Equal("deadlettered", model[id].State);
                        model.Remove(id);
                    }
                    else
                    {
                        Assert.NotEqual("deadlettered", model.GetValueOrDefault(id)?.State);
                    }

                    break;
            }

            var rows = await test.Database.RunAsync(
                "reading", c => c.QueryAsync("SELECT id, state, attempt, lease, replays FROM amp_jobs.job", [], r => (r.GetGuid(0), r.GetString(1), r.GetInt32(2), r.GetInt64(3), r.GetInt32(4)), None), null, None);
            Assert.Equal(
                model.Select(job => (job.Key, job.Value.State, job.Value.Attempt, job.Value.Lease, job.Value.Replays)).Order(), rows.Order());
        }

        await JobInvariants.AssertAsync(test);
    }

    /// <summary>
    /// Two workers, a sweep and a replay, each a few steps, in every order that there is: at most one completion is accepted for each replay,
    /// and none of a lease that is over.
    /// </summary>
    [Fact]
    public void EveryInterleaving_OfClaimRescueCompleteAndReplay_CompletesOnce()
    {
        var ways = 0;
        Explore(new Model(2), new Step([0, 0, 0, 0]), []);
        Assert.True(ways > 1_000, $"{ways} ways");

        void Explore(Model job, Step at, List<(long Lease, int Replay, bool Accepted)> completions)
        {
            Assert.All(completions.Where(completion => completion.Accepted).GroupBy(completion => completion.Replay), replay => Assert.Single(replay));
            if (at.Next.SequenceEqual([2, 2, 3, 2]))
            {
                ways++;
            }

            for (var actor = 0; actor < 4; actor++)
            {
                var (next, then) = (job.Copy(), at.Advance(actor));
                if (then is null)
                {
                    continue;
                }

                var outcome = completions;
                switch (actor, at.Next[actor])
                {
                    // A worker claims, keeps its lease and completes.
                    case (0 or 1, 0):
                        then.Leases[actor] = next.Claim() ? next.Lease : 0;
                        break;
                    case (0 or 1, 1):
                        outcome = [.. completions, (at.Leases[actor], next.Replays, next.End(at.Leases[actor], JobVerdict.Complete, true))];
                        break;

                    // The sweep takes the job from its worker, whoever that is, and lets it be due.
                    case (2, _):
                        next.Lose();
                        next.Due();
                        break;
                    default:
                        next.Replay();
                        break;
                }

                Explore(next, then, outcome);
            }
        }
    }

    private sealed record Step(int[] Next)
    {
        private static readonly int[] Ends = [2, 2, 3, 2];

        public long[] Leases { get; init; } = new long[2];

        public Step? Advance(int actor)
        {
            if (Next[actor] == Ends[actor])
            {
                return null;
            }

            var next = (int[])Next.Clone();
            next[actor]++;
            return new Step(next) { Leases = (long[])Leases.Clone() };
        }
    }

    /// <summary>A job as it should be.</summary>
    private sealed class Model(int maxAttempts)
    {
        private bool _isCancelRequested;

        public string State { get; private set; } = "queued";

        public int Attempt { get; private set; }

        public long Lease { get; private set; }

        public int Replays { get; private set; }

        public Model Copy() => (Model)MemberwiseClone();

        public bool Claim()
        {
            if (State != "queued")
            {
                return false;
            }

            (State, Attempt, Lease) = ("running", Attempt + 1, Lease + 1);
            return true;
        }

        public bool End(long lease, JobVerdict verdict, bool toDeadLetters)
        {
            if (State != "running" || lease != Lease)
            {
                return false;
            }

            (State, Attempt) = verdict switch
            {
                JobVerdict.Complete => ("completed", Attempt),
                _ when _isCancelRequested => ("cancelled", Attempt),
                JobVerdict.Cancel => ("cancelled", Attempt),
                JobVerdict.GiveBack or JobVerdict.Snooze => ("queued", Attempt - 1),
                JobVerdict.Retry when Attempt < maxAttempts => ("retrying", Attempt),
                JobVerdict.GiveUp when !toDeadLetters => ("failed", Attempt),
                _ => ("deadlettered", Attempt),
            };
            return true;
        }

        public void Lose() => End(Lease, JobVerdict.Retry, toDeadLetters: true);

        public void Due() => State = State == "retrying" ? "queued" : State;

        public void Cancel()
        {
            _isCancelRequested |= State is "queued" or "retrying" or "running";
            State = State is "queued" or "retrying" ? "cancelled" : State;
        }

        public bool Replay()
        {
            if (State != "deadlettered")
            {
                return false;
            }

            (State, Attempt, Replays, _isCancelRequested) = ("queued", 0, Replays + 1, false);
            return true;
        }

        public bool Retry()
        {
            if (State is not ("failed" or "retrying"))
            {
                return false;
            }

            (State, Attempt, _isCancelRequested) = ("queued", State == "failed" ? 0 : Attempt, false);
            return true;
        }
    }
}
