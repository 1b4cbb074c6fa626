namespace Amp.Hosting.Dashboard;

public sealed class DashboardViewTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 15, 10, 30, 0, TimeSpan.Zero);

    private static readonly DashboardStyle Marked = new()
    {
        Title = "<title>",
        Head = "<head>",
        Good = "<good>",
        Warning = "<warning>",
        Error = "<error>",
        Bar = "<bar>",
        Dim = "<dim>",
        Reset = "</>",
    };

    [Fact]
    public void Render_On80Columns_ShowsAll() => AssertLooks(
        """
         Amp  127.0.0.1:5432/amp                                    2026-01-15 10:30:00Z
         398 blocks/s · 3.1 MiB/s · 2 of 3 workers active · 5 jobs active · 1 failed

           WORKER       HEARTBEAT        JOBS
         ● eu-west-1a   0.4s ago         3     #412 #413 #415 #416
         ● eu-west-1b   1.2s ago         1     #414
         ○ eu-west-1c   silent 3m 10s    0

         JOB DATASET          STATUS        PROGRESS                    BLOCKS/S    LEFT
         412 ethereum/mainnet Running       ━━━━━━━━╸──────────  47.2 %      398  11h 3m
               blocks         14200000      7120 files, 115.0 GiB            412
               logs           14150000      7120 files, 115.0 GiB            398
               transactions   14200000      7120 files, 115.0 GiB            412
         414 ethereum/mainnet Running       part of #412
         413 ethereum/tip     Running       block 21000000 of the chain
               blocks         21000000      1 file, 115.0 GiB
         415 ethereum/mainnet StopRequested
         416 ethereum/mainnet Scheduled     waits for eu-west-1a
          99 ethereum/mainnet Error         3m 0s ago
             https://rpc.example/v1 answered eth_getBlockReceipts with error -32005:
             the daily limit of this key is reached; it is reset at midnight.
          98 ethereum/mainnet Completed     3m 0s ago

         q quit  ↑ ↓ PgUp PgDn Home End scroll
        """, Render(Busy(), 80, 24));

    [Fact]
    public void Render_OnAWideScreen_HasLongerBarsAndWorkers() => AssertLooks(
        """
         Amp  127.0.0.1:5432/amp                                                                                      2026-01-15 10:30:00Z
         398 blocks/s · 3.1 MiB/s · 2 of 3 workers active · 5 jobs active · 1 failed

           WORKER       HEARTBEAT        JOBS
         ● eu-west-1a   0.4s ago         3     #412 #413 #415 #416
         ● eu-west-1b   1.2s ago         1     #414
         ○ eu-west-1c   silent 3m 10s    0

         JOB DATASET          STATUS        PROGRESS                                                     BLOCKS/S    LEFT  WORKER
         412 ethereum/mainnet Running       ━━━━━━━━━━━━━━━━━━━━━━━━╸───────────────────────────  47.2 %      398  11h 3m  eu-west-1a
               blocks         14200000      7120 files, 115.0 GiB                                             412
               logs           14150000      7120 files, 115.0 GiB                                             398
               transactions   14200000      7120 files, 115.0 GiB                                             412
         414 ethereum/mainnet Running       part of #412                                                                   eu-west-1b
         413 ethereum/tip     Running       block 21000000 of the chain                                                    eu-west-1a
               blocks         21000000      1 file, 115.0 GiB
         415 ethereum/mainnet StopRequested                                                                                eu-west-1a
         416 ethereum/mainnet Scheduled     waits for eu-west-1a                                                           eu-west-1a
          99 ethereum/mainnet Error         3m 0s ago                                                                      eu-west-1a
             https://rpc.example/v1 answered eth_getBlockReceipts with error -32005: the daily limit of this key is reached; it is reset
             at midnight.
          98 ethereum/mainnet Completed     3m 0s ago                                                                      eu-west-1a

         q quit  ↑ ↓ PgUp PgDn Home End scroll
        """, Render(Busy(), 130, 24));

    [Fact]
    public void Render_InColour_ColoursWhatMatters() => AssertLooks(
        """
        <title> Amp</>  <dim>127.0.0.1:5432/amp</>                                    <dim>2026-01-15 10:30:00Z</>
         398 blocks/s · 3.1 MiB/s · <warning>2 of 3 workers active</> · 5 jobs active · <error>1 failed</>

           <head>WORKER</>       <head>HEARTBEAT</>        <head>JOBS</>
        <good> ● </>eu-west-1a   0.4s ago         3     <dim>#412 #413 #415 #416</>
        <good> ● </>eu-west-1b   1.2s ago         1     <dim>#414</>
        <warning> ○ </>eu-west-1c   <warning>silent 3m 10s</>    0

         <head>JOB</> <head>DATASET</>          <head>STATUS</>        <head>PROGRESS</>                    <head>BLOCKS/S</>    <head>LEFT</>
         412 ethereum/mainnet Running       <bar>━━━━━━━━╸</><dim>──────────</>  47.2 %      398  11h 3m
             <dim>  blocks</>         <dim>14200000</>      <dim>7120 files, 115.0 GiB</>            412
             <dim>  logs</>           <dim>14150000</>      <dim>7120 files, 115.0 GiB</>            398
             <dim>  transactions</>   <dim>14200000</>      <dim>7120 files, 115.0 GiB</>            412
         414 ethereum/mainnet Running       <dim>part of #412</>
         413 ethereum/tip     Running       <dim>block 21000000 of the chain</>
             <dim>  blocks</>         <dim>21000000</>      <dim>1 file, 115.0 GiB</>
         415 ethereum/mainnet <warning>StopRequested</>
         416 ethereum/mainnet Scheduled     <dim>waits for eu-west-1a</>
          99 ethereum/mainnet <error>Error</>         <dim>3m 0s ago</>
             <error>https://rpc.example/v1 answered eth_getBlockReceipts with error -32005:</>
             <error>the daily limit of this key is reached; it is reset at midnight.</>
          98 ethereum/mainnet <good>Completed</>     <dim>3m 0s ago</>

        <title> q</><dim> quit  </><title>↑ ↓ PgUp PgDn Home End</><dim> scroll </>
        """, Render(Busy(), 80, 24, style: Marked));

    [Fact]
    public void Render_OnAShortScreen_SaysHowMuchIsBelow() => AssertLooks(
        """
         Amp  127.0.0.1:5432/amp                2026-01-15 10:30:00Z
         398 blocks/s · 3.1 MiB/s · 2 of 3 workers active · 5 jobs …

           WORKER       HEARTBEAT        JOBS
         ● eu-west-1a   0.4s ago         3     #412 #413 #415 #416
         ● eu-west-1b   1.2s ago         1     #414
         ○ eu-west-1c   silent 3m 10s    0

         JOB DATASET         STATUS        PROGRESS     BLOCKS/S
         412 ethereum/mainn… Running       ━╸──  47.2 %      398  1…
               blocks        14200000      7120 files,…      412
         q quit  ↑ ↓ PgUp PgDn Home End scroll             ↓ 11 more
        """, Render(Busy(), 60, 12));

    [Fact]
    public void Render_WhenScrolledPastTheEnd_ShowsTheEnd()
    {
        var frame = DashboardView.Render(Busy(), Now, 60, 12, scroll: 1000, DashboardStyle.Plain);

        AssertLooks(
            """
             Amp  127.0.0.1:5432/amp                2026-01-15 10:30:00Z
             398 blocks/s · 3.1 MiB/s · 2 of 3 workers active · 5 jobs …

             413 ethereum/tip    Running       block 21000…
                   blocks        21000000      1 file, 115…
             415 ethereum/mainn… StopRequested
             416 ethereum/mainn… Scheduled     waits for e…
              99 ethereum/mainn… Error         3m 0s ago
                 https://rpc.example/v1 answered eth_getBlockReceipts
                 with error -32005: the daily limit of this key is reac…
              98 ethereum/mainn… Completed     3m 0s ago
             q quit  ↑ ↓ PgUp PgDn Home End scroll             ↑ 11 more
            """, frame);
        Assert.Equal(frame.Lines, DashboardView.Render(Busy(), Now, 60, 12, frame.Scroll, DashboardStyle.Plain).Lines);
    }

    [Fact]
    public void Render_WhenTheDatabaseIsGone_KeepsWhatWasSeenAndSaysWhy() => AssertLooks(
        """
         Amp  127.0.0.1:5432/amp                                    2026-01-15 10:30:00Z
         398 blocks/s · 3.1 MiB/s · 2 of 3 workers active · 5 jobs active · 1 failed
         What you see is 42s old: The database at 127.0.0.1:5432 does not answer:
         Connection refused. Still trying.

           WORKER       HEARTBEAT        JOBS
         ● eu-west-1a   0.4s ago         3     #412 #413 #415 #416
         ● eu-west-1b   1.2s ago         1     #414
         ○ eu-west-1c   silent 3m 10s    0

         JOB DATASET          STATUS        PROGRESS                    BLOCKS/S    LEFT
         412 ethereum/mainnet Running       ━━━━━━━━╸──────────  47.2 %      398  11h 3m
               blocks         14200000      7120 files, 115.0 GiB            412
               logs           14150000      7120 files, 115.0 GiB            398
               transactions   14200000      7120 files, 115.0 GiB            412
         q quit  ↑ ↓ PgUp PgDn Home End scroll                                  ↓ 9 more
        """, Render(Busy() with { ReadAt = Now.AddSeconds(-42), Problem = "The database at 127.0.0.1:5432 does not answer: Connection refused." }, 80, 16));

    [Fact]
    public void Render_WhenAnAnswerIsLate_SaysSo()
    {
        var state = Busy() with { ReadAt = Now.AddSeconds(-65), NextAt = Now.AddSeconds(-5) };

        Assert.DoesNotContain(Render(state, 80, 24).Lines, line => line.Contains("old", StringComparison.Ordinal));
        Assert.Contains(" What you see is 1m 6s old: no answer yet. Still trying.", DashboardView.Render(state, Now.AddSeconds(1), 80, 24, 0, DashboardStyle.Plain).Lines);
    }

    [Fact]
    public void Render_BeforeTheFirstAnswer_ShowsWhereItAsks() => AssertLooks(
        """
         Amp  127.0.0.1:5432/amp                2026-01-15 10:30:00Z


         …





         q quit  ↑ ↓ PgUp PgDn Home End scroll
        """, Render(new DashboardState { Connection = "127.0.0.1:5432/amp" }, 60, 10));

    [Fact]
    public void Render_WithoutWorkersAndJobs_SaysWhatToDo() => AssertLooks(
        """
         Amp  http://127.0.0.1:1610/            2026-01-15 10:30:00Z
         0 of 0 workers active · 0 jobs active

           WORKER       HEARTBEAT        JOBS
           none has registered; Start-AmpWorker starts one

         JOB DATASET      STATUS    PROGRESS        BLOCKS/S    LEFT
           none to show; Start-AmpJob starts one



         q quit  ↑ ↓ PgUp PgDn Home End scroll
        """, Render(new DashboardState { Connection = "http://127.0.0.1:1610/", ReadAt = Now, NextAt = Now }, 60, 12));

    [Fact]
    public void Render_WithManyWorkers_ShowsSilentOnesWithJobsAndCountsTheRest() => AssertLooks(
        """
         Amp  127.0.0.1:5432/amp                                    2026-01-15 10:30:00Z
         398 blocks/s · 3.1 MiB/s · 36 of 40 workers active · 5 jobs active · 1 failed

           WORKER       HEARTBEAT        JOBS
         ○ worker-20    silent 5m 0s     2
         ● worker-01    0.5s ago         0
         ● worker-02    0.5s ago         0
           … 37 more, 3 of them silent

         JOB DATASET          STATUS        PROGRESS                    BLOCKS/S    LEFT
         412 ethereum/mainnet Running       ━━━━━━━━╸──────────  47.2 %      398  11h 3m
               blocks         14200000      7120 files, 115.0 GiB            412
               logs           14150000      7120 files, 115.0 GiB            398
               transactions   14200000      7120 files, 115.0 GiB            412
         414 ethereum/mainnet Running       part of #412
         413 ethereum/tip     Running       block 21000000 of the chain
               blocks         21000000      1 file, 115.0 GiB
         q quit  ↑ ↓ PgUp PgDn Home End scroll                                  ↓ 6 more
        """, Render(Busy() with { Workers = [.. Enumerable.Range(1, 40).Select(n => Worker($"worker-{n:00}", n % 10 == 0 ? 300 : 0.5, n == 20 ? 2 : 0))] }, 80, 18));

    [Theory]
    [InlineData(1, 1)]
    [InlineData(39, 30)]
    [InlineData(40, 10)]
    [InlineData(41, 11)]
    [InlineData(80, 24)]
    [InlineData(81, 25)]
    [InlineData(300, 80)]
    public void Render_OnAnyScreen_GivesItsLinesAndNoneWiderThanIt(int width, int height)
    {
        foreach (var state in (DashboardState[])[Busy(), Busy() with { Problem = new string('x', 500) }, new DashboardState { Connection = new string('c', 200) }])
        {
            for (var scroll = 0; scroll < 30; scroll += 3)
            {
                var lines = DashboardView.Render(state, Now, width, height, scroll, DashboardStyle.Plain).Lines;

                Assert.Equal(height, lines.Count);
                Assert.All(lines, line => Assert.InRange(line.Length, 0, width));
            }
        }
    }

    [Fact]
    public void Render_WithControlCharactersInAnError_WritesNone()
    {
        var state = Busy() with { Jobs = [Job(9, AmpJobStatus.Fatal) with { Job = Job(9, AmpJobStatus.Fatal).Job with { ErrorMessage = "bad \e[2J\a\tnews" } }] };

        var lines = Render(state, 80, 24).Lines;

        Assert.Contains(lines, line => line.EndsWith("bad  [2J  news", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, line => line.Any(char.IsControl));
    }

    private static DashboardFrame Render(DashboardState state, int width, int height, DashboardStyle? style = null) =>
        DashboardView.Render(state, Now, width, height, scroll: 0, style ?? DashboardStyle.Plain);

    private static void AssertLooks(string expected, DashboardFrame frame) => Assert.Equal(expected, string.Join('\n', frame.Lines));

    private static DashboardState Busy()
    {
        var tables = new[]
        {
            Table("blocks", 14_200_000, 47.3, 412), Table("logs", 14_150_000, 47.2, 398), Table("transactions", 14_200_000, 47.3, 412),
        };
        return new DashboardState
        {
            Connection = "127.0.0.1:5432/amp",
            ReadAt = Now,
            NextAt = Now,
            Workers = [Worker("eu-west-1a", 0.4, 3), Worker("eu-west-1b", 1.2, 1), Worker("eu-west-1c", 190, 0)],
            BlocksPerSecond = 398,
            BytesPerSecond = 3_250_000,
            Jobs =
            [
                Job(412, AmpJobStatus.Running) with { Tables = tables },
                Job(414, AmpJobStatus.Running, partOf: 412, node: "eu-west-1b"),
                Follower(413, 21_000_000),
                Job(415, AmpJobStatus.StopRequested),
                Job(416, AmpJobStatus.Scheduled),
                Job(99, AmpJobStatus.Error),
                Job(98, AmpJobStatus.Completed),
            ],
        };
    }

    private static AmpWorker Worker(string nodeId, double age, int jobs) => new()
    {
        NodeId = nodeId,
        HeartbeatAt = Now.AddSeconds(-age),
        HeartbeatAge = TimeSpan.FromSeconds(age),
        CreatedAt = Now.AddDays(-1),
        RegisteredAt = Now.AddDays(-1),
        ActiveJobs = jobs,
    };

    private static DashboardJob Follower(long jobId, ulong block)
    {
        var job = Job(jobId, AmpJobStatus.Running).Job;
        return new DashboardJob(
            job with { Descriptor = job.Descriptor! with { EndBlock = null, DatasetName = "tip" } },
            [Table("blocks", block, null, null) with { EndBlock = null, FilesCount = 1 }]);
    }

    private static DashboardJob Job(long jobId, AmpJobStatus status, long? partOf = null, string node = "eu-west-1a") => new(
        new AmpJob
        {
            JobId = jobId,
            Status = status,
            NodeId = node,
            CreatedAt = Now.AddHours(-2),
            UpdatedAt = Now.AddMinutes(-3),
            Descriptor = new AmpJobDescriptor
            {
                Kind = "materialize-raw",
                EndBlock = "29999999",
                DatasetNamespace = "ethereum",
                DatasetName = "mainnet",
                ManifestHash = new string('a', 64),
                PartOf = partOf,
            },
            ErrorMessage = status is AmpJobStatus.Error or AmpJobStatus.Fatal
                ? "https://rpc.example/v1 answered eth_getBlockReceipts with error -32005: the daily limit of this key is reached; it is reset at midnight."
                : null,
        }, []);

    private static AmpTableProgress Table(string name, ulong current, double? percent, double? rate) => new()
    {
        JobId = 412,
        Status = AmpJobStatus.Running,
        Table = name,
        StartBlock = 0,
        CurrentBlock = current,
        EndBlock = 29_999_999,
        BlocksCount = current + 1,
        FilesCount = 7_120,
        TotalSizeBytes = 123_456_789_012,
        PercentComplete = percent,
        BlocksPerSecond = rate,
    };
}
