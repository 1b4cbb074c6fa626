using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Amp.Configuration;
using Amp.Datasets;
using Amp.EndToEnd;
using Amp.Extraction.DevChains;
using Amp.Hosting.AdminApi;
using Amp.Hosting.Dashboard;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Hosting;

/// <summary>One deployment seen through its database and through its Admin API: both must show the same.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class HttpAmpClientTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Dataset = "web/devnet";

    private static readonly CancellationToken None = CancellationToken.None;

    private DevChain _chain = null!;
    private TestDeployment _deployment = null!;
    private WorkerHost _worker = null!;
    private AdminApiServer _server = null!;
    private AmpDeployment _remote = null!;

    private IAmpClient Database => _deployment.Client;

    private IAmpClient Http => _remote.Client;

    public async Task InitializeAsync()
    {
        _chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 30, TransactionsPerBlock = 2 });
        _deployment = await TestDeployment.CreateAsync(postgres, ("admin_api_addr", $"127.0.0.1:{TestTools.FreePort()}"));
        await _deployment.RegisterProviderAsync(_chain.Url);
        await _deployment.RegisterDatasetAsync(Dataset);
        _worker = await _deployment.StartWorkerAsync();
        _server = AdminApiServer.Start(_deployment.Deployment, NullLogger.Instance);
        _remote = await AmpDeployment.OpenRemoteAsync(_server.Url, token: null, None);
    }

    public async Task DisposeAsync()
    {
        await _remote.DisposeAsync();
        await _server.DisposeAsync();
        await _worker.DisposeAsync();
        await _deployment.DisposeAsync();
        await _chain.DisposeAsync();
    }

    [ToolFact("postgres")]
    public async Task EverythingThatIsListed_IsTheSameBothWays()
    {
        await _deployment.CompleteJobAsync(Dataset, 29);
        await Http.RegisterDatasetAsync(DatasetReference.Parse("web/other@1.2.0"), EvmRpcManifest.Generate("devnet", 7).ToJson(), None);
        var failed = await Http.StartJobAsync(new StartJobRequest(DatasetReference.Parse("web/other"), "9") { MaxWriters = 2 }, None);
        await _deployment.WaitAsync(failed);

        await SameAsync(client => client.GetWorkersAsync(None).Select(worker => worker with { HeartbeatAt = default, HeartbeatAge = default }).ToListAsync());
        await SameAsync(client => client.GetJobsAsync(new JobQuery(), None).ToListAsync());
        await SameAsync(client => client.GetJobsAsync(new JobQuery { Status = [AmpJobStatus.Completed], Limit = 1 }, None).ToListAsync());
        await SameAsync(client => client.GetDatasetsAsync(None).ToListAsync());
        await SameAsync(client => client.GetTablesAsync(None).ToListAsync());
        await SameAsync(client => client.GetProviderNamesAsync(None).ToListAsync());
        await SameAsync(async client => await client.GetProviderAsync(TestDeployment.Network, None));
        for (var job = 1; job <= 2; job++)
        {
            await SameAsync(async client => await client.GetJobAsync(job, None));
            await SameAsync(async client => await client.GetJobProgressAsync(job, None));
            await SameAsync(client => client.GetJobEventsAsync(job, None).Select(transition => transition with { Detail = Compact(transition.Detail) }).ToListAsync());
        }

        var worker = await Http.GetWorkersAsync(None).SingleAsync();
        Assert.True(worker.IsActive && worker.HeartbeatAge > TimeSpan.Zero);
        Assert.Equal((await Database.TestProviderAsync(TestDeployment.Network, None)) with { Latency = null }, (await Http.TestProviderAsync(TestDeployment.Network, None)) with { Latency = null });

        async Task SameAsync<T>(Func<IAmpClient, ValueTask<T>> ask)
        {
            // Written by the API's rules, so that times are compared as exactly as it tells them.
            var (expected, actual) = (Json(await ask(Database)), Json(await ask(Http)));
            Assert.NotEqual("[]", expected);
            Assert.Equal(expected, actual);
        }

        static string? Compact(string? json) => json is null ? null : Json(JsonSerializer.Deserialize<JsonElement>(json));

        static string Json<T>(T value) => JsonSerializer.Serialize(value, ApiJson.Options);
    }

    [ToolFact("postgres")]
    public async Task Jobs_OfManyPages_AllArrive_AndNoneAfterTheLimit()
    {
        await _deployment.Database.RunAsync(
            "filling the jobs", connection => MetadataDb.Sql.ExecuteAsync(
                connection,
                """
                WITH new AS (INSERT INTO jobs (node_id, idempotency_key) SELECT 'worker-01', n FROM generate_series(1, 450) n RETURNING id, node_id)
                INSERT INTO jobs_status (job_id, node_id, status) SELECT id, node_id, 'COMPLETED' FROM new
                """,
                [], None),
            null, None);

        Assert.Equal(450, await Http.GetJobsAsync(new JobQuery(), None).CountAsync());
        Assert.Equal(201, await Http.GetJobsAsync(new JobQuery { Limit = 201 }, None).CountAsync());
        Assert.Equal(400, await Http.GetJobsAsync(new JobQuery { BeforeJobId = 401 }, None).CountAsync());
    }

    [ToolFact("postgres")]
    public async Task Dashboard_ShowsTheSameBothWays_AndKeepsWhatItSawWhileTheApiIsGone()
    {
        await _deployment.CompleteJobAsync(Dataset, 9);
        var job = await Database.StartJobAsync(new StartJobRequest(DatasetReference.Parse(Dataset), null), None);
        var (overDatabase, overHttp) = (Reader(Database, job.JobId), Reader(Http, job.JobId));
        await Eventually.TrueAsync(
            async () =>
            {
                await overDatabase.ReadAsync(None);
                return overDatabase.State.Jobs is [{ Slowest.CurrentBlock: 29 }];
            },
            "the job reaches the chain's end");

        await overHttp.ReadAsync(None);
        var seen = overHttp.State;
        Assert.Equal(overDatabase.State.Workers.Select(worker => worker.NodeId), seen.Workers.Select(worker => worker.NodeId));
        Assert.Equal([job.JobId], seen.Jobs.Select(shown => shown.Job.JobId));
        Assert.Equal(overDatabase.State.Jobs[0].Tables.Select(table => (table.Table, table.BlocksCount)), seen.Jobs[0].Tables.Select(table => (table.Table, table.BlocksCount)));

        await _server.DisposeAsync();
        await overHttp.ReadAsync(None);
        Assert.Contains("does not answer", overHttp.State.Problem, StringComparison.Ordinal);
        Assert.Equal(seen, overHttp.State with { Problem = null });

        _server = AdminApiServer.Start(_deployment.Deployment, NullLogger.Instance);
        await overHttp.ReadAsync(None);
        Assert.Null(overHttp.State.Problem);
        Assert.True(overHttp.State.ReadAt > seen.ReadAt);

        static DashboardReader Reader(IAmpClient client, long jobId) => new(client, "here", _ => true, [jobId], TimeSpan.FromSeconds(1), TimeProvider.System);
    }

    [ToolFact("postgres")]
    public async Task Life_OfAJobOverHttp_IsThatOfOneOverTheDatabase()
    {
        var job = await Http.StartJobAsync(new StartJobRequest(DatasetReference.Parse(Dataset), null) { Worker = "worker-*", Verify = true }, None);
        Assert.Equal((true, "worker-01"), (job.Descriptor!.Verify, job.NodeId));

        await Http.StopJobAsync(job.JobId, None);
        Assert.Equal(AmpJobStatus.Stopped, (await JobWatch.WaitAsync(Http, job.JobId, TimeProvider.System, None)).Status);
        var again = await Http.RestartJobAsync(job.JobId, null, None);
        Assert.Equal((job.JobId, false), (again.JobId, again.IsTerminal));
        await Http.StopJobAsync(job.JobId, None);
        await JobWatch.WaitAsync(Http, job.JobId, TimeProvider.System, None);

        Assert.Equal(1, await Http.RemoveJobsAsync([AmpJobStatus.Stopped, AmpJobStatus.Completed], None));
        await Http.RemoveDatasetAsync(DatasetReference.Parse(Dataset), None);
        Assert.Empty(await Database.GetDatasetsAsync(None).ToListAsync());
    }

    [ToolFact("postgres")]
    public async Task Provider_RegisteredOverHttp_KeepsItsSecretsToItself()
    {
        var provider = new ProviderConfig
        {
            Name = "second", Kind = "evm-rpc", Network = "othernet", Url = Secret.ForUrl("http://user:s3cr3t@127.0.0.1:1/"), AuthToken = new Secret("t0k3n"), RateLimitPerMinute = 60,
        };

        Assert.DoesNotContain("s3cr3t", JsonSerializer.Serialize(await Http.RegisterProviderAsync(provider, overwrite: false, None)), StringComparison.Ordinal);
        await RefusedAlikeAsync(client => client.RegisterProviderAsync(provider, overwrite: false, None), "ProviderExists");
        await Http.RegisterProviderAsync(provider with { RpcBatchSize = 5 }, overwrite: true, None);
        var file = await File.ReadAllTextAsync((await Database.GetProviderAsync("second", None)).Path);
        Assert.Contains("t0k3n", file, StringComparison.Ordinal);
        Assert.Contains("rpc_batch_size = 5", file, StringComparison.Ordinal);
        await Http.RemoveProviderAsync("second", None);

        await File.WriteAllTextAsync(Path.Combine(_deployment.Deployment.Configuration.ProvidersDir, "broken.toml"), "kind =");
        Assert.Contains("broken", await Http.GetProviderNamesAsync(None).ToListAsync());
        await RefusedAlikeAsync(client => client.GetProviderAsync("broken", None), null);
    }

    [ToolFact("postgres")]
    public async Task Refusals_AreTheSameBothWays()
    {
        var job = await _deployment.CompleteJobAsync(Dataset, 5);

        await RefusedAlikeAsync(client => client.GetJobAsync(999, None), "JobNotFound");
        await RefusedAlikeAsync(client => client.GetJobEventsAsync(999, None).ToListAsync().AsTask(), "JobNotFound");
        await RefusedAlikeAsync(client => client.StopJobAsync(job.JobId, None), "JobAlreadyTerminated");
        await RefusedAlikeAsync(client => client.StartJobAsync(new StartJobRequest(DatasetReference.Parse("web/nothing"), "9"), None), "DatasetNotFound");
        await RefusedAlikeAsync(client => client.StartJobAsync(new StartJobRequest(DatasetReference.Parse(Dataset), "9") { Worker = "nobody" }, None), "WorkerNotFound");
        await RefusedAlikeAsync(client => client.StartJobAsync(new StartJobRequest(DatasetReference.Parse(Dataset), "soon"), None), "InvalidEndBlock");
        await RefusedAlikeAsync(client => client.RemoveDatasetAsync(DatasetReference.Parse("web/nothing"), None), "DatasetNotFound");
        await RefusedAlikeAsync(client => client.RegisterDatasetAsync(DatasetReference.Parse("web/x"), "{}", None), null);
        await RefusedAlikeAsync(client => client.RegisterDatasetAsync(DatasetReference.Parse("web/x@latest"), EvmRpcManifest.Generate("devnet").ToJson(), None), "DatasetVersionInvalid");
        await RefusedAlikeAsync(client => client.RemoveProviderAsync("nothing", None), "ProviderNotFound");
    }

    [ToolFact("postgres")]
    public async Task WhatNeedsTheDatabase_SaysSo()
    {
        Assert.True(_remote.IsRemote);
        Assert.Equal(_server.Url, _remote.Connection.Uri);
        Assert.Equal("DatabaseConnectionRequired", Assert.Throws<AmpException>(() => _remote.Tables).ErrorCode);
        Assert.Equal("DatabaseConnectionRequired", (await Assert.ThrowsAsync<AmpException>(() => WorkerHost.StartAsync(_remote, "w", NullLoggerFactory.Instance, None))).ErrorCode);
    }

    [ToolFact("postgres")]
    public async Task Open_WithoutTheToken_IsDenied()
    {
        await using var deployment = await TestDeployment.CreateAsync(postgres, ("admin_api_addr", $"127.0.0.1:{TestTools.FreePort()}"), ("admin_api_token", "right"));
        await using var server = AdminApiServer.Start(deployment.Deployment, NullLogger.Instance);

        foreach (var token in (Secret?[])[null, new Secret("wrong")])
        {
            var error = await Assert.ThrowsAsync<AmpException>(() => AmpDeployment.OpenRemoteAsync(server.Url, token, None));
            Assert.Equal(("AdminApiAccessDenied", AmpErrorKind.Denied), (error.ErrorCode, error.Kind));
        }

        await using var remote = await AmpDeployment.OpenRemoteAsync(server.Url, new Secret("right"), None);
        Assert.Empty(await remote.Client.GetWorkersAsync(None).ToListAsync());
    }

    [Theory]
    [InlineData("ftp://127.0.0.1/")]
    [InlineData("http://user:s3cr3t@127.0.0.1/")]
    [InlineData("http://127.0.0.1/?key=s3cr3t")]
    public void Address_ThatIsNone_IsRefusedWithoutItsSecrets(string address)
    {
        var error = Assert.Throws<AmpException>(() => new HttpAmpClient(new Uri(address), token: null));

        Assert.Equal("AdminApiAddressInvalid", error.ErrorCode);
        Assert.DoesNotContain("s3cr3t", error.Message + error.Target, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(200, "<html>welcome</html>")]
    [InlineData(200, "{}")]
    [InlineData(200, "{\"jobs\":[{\"id\":\"one\"}],\"next_cursor\":null}")]
    [InlineData(404, "")]
    [InlineData(502, "<html>bad gateway</html>")]
    [InlineData(500, "[]")]
    public async Task Answers_OfSomethingElse_AreNamedAsSuch(int status, string body)
    {
        using var other = new HttpListener();
        var address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{TestTools.FreePort()}/amp/");
        other.Prefixes.Add(address);
        other.Start();
        var answering = other.GetContextAsync().ContinueWith(
            got =>
            {
                var response = got.Result.Response;
                response.StatusCode = status;
                response.Close(Encoding.UTF8.GetBytes(body), willBlock: true);
            },
            TaskScheduler.Default);

        var error = await Assert.ThrowsAsync<AmpException>(() => AmpDeployment.OpenRemoteAsync(new Uri(address.TrimEnd('/')), null, None));

        await answering;
        Assert.Equal(("AdminApiAnswerInvalid", AmpErrorKind.InvalidData), (error.ErrorCode, error.Kind));
    }

    [Fact]
    public async Task Open_WhereNobodyListens_SaysWhere()
    {
        var address = new Uri($"http://127.0.0.1:{TestTools.FreePort()}/");

        var error = await Assert.ThrowsAsync<AmpException>(() => AmpDeployment.OpenRemoteAsync(address, null, None));

        Assert.Equal(("AdminApiUnavailable", AmpErrorKind.Unavailable, true), (error.ErrorCode, error.Kind, error.IsTransient));
        Assert.Equal(address, error.Target);
    }

    private async Task RefusedAlikeAsync(Func<IAmpClient, Task> ask, string? code)
    {
        var expected = await Assert.ThrowsAsync<AmpException>(() => ask(Database));
        var actual = await Assert.ThrowsAsync<AmpException>(() => ask(Http));

        Assert.Equal(code ?? expected.ErrorCode, actual.ErrorCode);
        Assert.Equal((expected.Kind, expected.Message, expected.RecommendedAction), (actual.Kind, actual.Message, actual.RecommendedAction));
        Assert.Equal(expected.Target?.ToString(), actual.Target?.ToString());
    }
}
