using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Amp.Datasets;
using Amp.EndToEnd;
using Amp.Extraction.DevChains;
using Amp.Hosting.AdminApi;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Hosting;

/// <summary>The Admin API over real HTTP, on a deployment in which a job has run.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class AdminApiTests(PostgresFixture postgres) : IAsyncLifetime, IDisposable
{
    private const string Dataset = "api/devnet";
    private const string Token = "a long random text";

    private readonly HttpClient _http = new();
    private DevChain _chain = null!;
    private TestDeployment _deployment = null!;
    private WorkerHost _worker = null!;
    private AdminApiServer _server = null!;
    private AmpJob _job = null!;

    public async Task InitializeAsync()
    {
        _chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 30, TransactionsPerBlock = 2 });
        _deployment = await TestDeployment.CreateAsync(postgres, ("admin_api_addr", $"127.0.0.1:{TestTools.FreePort()}"));
        await _deployment.RegisterProviderAsync(_chain.Url);
        await _deployment.RegisterDatasetAsync(Dataset);
        _worker = await _deployment.StartWorkerAsync();
        _job = await _deployment.CompleteJobAsync(Dataset, 29);
        _server = AdminApiServer.Start(_deployment.Deployment, NullLogger.Instance);
        _http.BaseAddress = _server.Url;
    }

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        await _worker.DisposeAsync();
        await _deployment.DisposeAsync();
        await _chain.DisposeAsync();
    }

    public void Dispose() => _http.Dispose();

    [ToolFact("postgres")]
    public async Task OpenApi_DescribesEveryRoute_AndEveryAnswerHasTheFieldsItSays()
    {
        var hash = (await _deployment.Client.GetDatasetsAsync(CancellationToken.None).FirstAsync()).ManifestHash;
        await _deployment.RegisterDatasetAsync("api/unused");
        await _deployment.RegisterDatasetAsync("api/again");
        var again = await _deployment.CompleteJobAsync("api/again", 3);
        var manifest = EvmRpcManifest.Generate("devnet", 7).ToJson();
        var calls = new Dictionary<string, (string Path, string? Body)>
        {
            ["GET /workers"] = ("workers", null),
            ["GET /workers/{node_id}"] = ("workers/worker-01", null),
            ["GET /jobs"] = ("jobs?limit=1&status=completed,running", null),
            ["GET /jobs/{job_id}"] = ($"jobs/{_job.JobId}", null),
            ["GET /jobs/{job_id}/progress"] = ($"jobs/{_job.JobId}/progress", null),
            ["GET /jobs/{job_id}/events"] = ($"jobs/{_job.JobId}/events", null),
            ["GET /datasets"] = ("datasets", null),
            ["POST /datasets"] = ("datasets", $$"""{"namespace":"api","name":"other","version":"1.0.0","manifest":{{manifest}}}"""),
            ["GET /datasets/{namespace}/{name}/versions"] = ("datasets/api/other/versions", null),
            ["DELETE /datasets/{namespace}/{name}"] = ("datasets/api/unused", null),
            ["POST /datasets/{namespace}/{name}/versions/{revision}/deploy"] = ("datasets/api/other/versions/1.0.0/deploy", """{"end_block":null,"parallelism":2,"worker_id":"worker-*","verify":true}"""),
            ["PUT /jobs/{job_id}/stop"] = ($"jobs/{again.JobId + 1}/stop", null),
            ["PUT /jobs/{job_id}/restart"] = ($"jobs/{again.JobId}/restart", """{"worker_id":"worker-01"}"""),
            ["DELETE /jobs/{job_id}"] = ($"jobs/{_job.JobId}", null),
            ["DELETE /jobs"] = ("jobs?status=terminal", null),
            ["GET /tables"] = ("tables", null),
            ["GET /manifests/{hash}"] = ($"manifests/{hash}", null),
            ["GET /providers"] = ("providers", null),
            ["POST /providers"] = ("providers", """{"name":"second","network":"othernet","url":"http://user:secret@127.0.0.1:1/?key=secret","auth_token":"secret"}"""),
            ["GET /providers/{name}"] = ("providers/second", null),
            ["POST /providers/{name}/test"] = ("providers/second/test", null),
            ["DELETE /providers/{name}"] = ("providers/second", null),
        };
        var document = await GetAsync("openapi.json");
        Assert.Equal("3.1.0", document.GetProperty("openapi").GetString());
        var described = document.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(operation => (Key: $"{operation.Name.ToUpperInvariant()} {path.Name}", Operation: operation.Value))).ToList();
        Assert.Equal(calls.Keys.Order(StringComparer.Ordinal), described.Select(route => route.Key).Order(StringComparer.Ordinal));

        foreach (var (key, (path, body)) in calls)
        {
            var (status, answer) = await SendAsync(key.Split(' ')[0], path, body);

            Assert.True((int)status is 200 or 201 or 202 or 204, $"{key} answered {status}: {answer}");
            var success = described.First(route => route.Key == key).Operation.GetProperty("responses").GetProperty("2XX");
            string[] fields = success.TryGetProperty("content", out var content)
                ? [.. content.GetProperty("application/json").GetProperty("schema").GetProperty("properties").EnumerateObject().Select(field => field.Name)]
                : [];
            Assert.Equal(fields.Order(StringComparer.Ordinal), answer.Length == 0 ? [] : JsonDocument.Parse(answer).RootElement.EnumerateObject().Select(field => field.Name).Order(StringComparer.Ordinal));
            Assert.DoesNotContain("secret", answer, StringComparison.Ordinal);
        }
    }

    [ToolFact("postgres")]
    public async Task Workers_HaveTimesAndBuildAsTheSeedShowsThem()
    {
        var worker = (await GetAsync("workers")).GetProperty("workers")[0];

        Assert.Equal("worker-01", worker.GetProperty("node_id").GetString());
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", worker.GetProperty("heartbeat_at").GetString());
        Assert.Equal(["version", "commit_sha", "commit_timestamp", "build_date"], worker.GetProperty("info").EnumerateObject().Select(field => field.Name));
        Assert.Equal(worker.EnumerateObject().Select(field => field.Name), (await GetAsync("workers/worker-01")).EnumerateObject().Select(field => field.Name));
    }

    [ToolFact("postgres")]
    public async Task Jobs_ArePaged_AndSayWhatTheyDid()
    {
        for (var end = 10; end <= 12; end++)
        {
            await _deployment.RegisterDatasetAsync($"api/page{end}");
            await _deployment.CompleteJobAsync($"api/page{end}", (ulong)end);
        }

        var seen = new List<long>();
        for (string? cursor = ""; cursor is not null;)
        {
            var page = await GetAsync($"jobs?limit=3{cursor}");
            seen.AddRange(page.GetProperty("jobs").EnumerateArray().Select(job => job.GetProperty("id").GetInt64()));
            var next = page.GetProperty("next_cursor");
            cursor = next.ValueKind == JsonValueKind.Null ? null : $"&last_job_id={next.GetInt64()}";
        }

        Assert.Equal(Enumerable.Range(1, 4).Select(id => (long)id).Reverse(), seen);
        var job = await GetAsync($"jobs/{_job.JobId}");
        Assert.Equal("COMPLETED", job.GetProperty("status").GetString());
        Assert.Equal("materialize-raw", job.GetProperty("descriptor").GetProperty("kind").GetString());
        var blocks = (await GetAsync($"jobs/{_job.JobId}/progress")).GetProperty("tables").GetProperty("blocks");
        Assert.Equal((0, 29), (blocks.GetProperty("start_block").GetInt32(), blocks.GetProperty("current_block").GetInt32()));
        Assert.Equal(
            ["SCHEDULED", "RUNNING", "COMPLETED"],
            (await GetAsync($"jobs/{_job.JobId}/events")).GetProperty("events").EnumerateArray().Select(transition => transition.GetProperty("event_type").GetString()));
    }

    [ToolTheory("postgres")]
    [InlineData("GET", "nothing", null, 404, "NOT_FOUND")]
    [InlineData("GET", "workers/nobody", null, 404, "WORKER_NOT_FOUND")]
    [InlineData("GET", "jobs/999", null, 404, "JOB_NOT_FOUND")]
    [InlineData("GET", "jobs/first", null, 400, "INVALID_JOB_ID")]
    [InlineData("GET", "jobs?limit=0", null, 400, "INVALID_REQUEST")]
    [InlineData("GET", "jobs?limt=5", null, 400, "INVALID_REQUEST")]
    [InlineData("GET", "jobs?status=sleeping", null, 400, "INVALID_REQUEST")]
    [InlineData("PUT", "jobs/1/stop", null, 409, "JOB_ALREADY_TERMINATED")]
    [InlineData("PUT", "jobs/1", null, 405, "METHOD_NOT_ALLOWED")]
    [InlineData("DELETE", "jobs", null, 400, "INVALID_REQUEST")]
    [InlineData("DELETE", "jobs?status=running", null, 400, "INVALID_REQUEST")]
    [InlineData("POST", "datasets", "{\"namespace\":", 400, "INVALID_REQUEST")]
    [InlineData("POST", "datasets", "[]", 400, "INVALID_REQUEST")]
    [InlineData("POST", "datasets", "{\"namespace\":\"api\"}", 400, "INVALID_REQUEST")]
    [InlineData("POST", "datasets", "{\"namespace\":\"api\",\"name\":\"x\",\"manifest\":{},\"manifst\":1}", 400, "INVALID_REQUEST")]
    [InlineData("POST", "datasets/api/devnet/versions/dev/deploy", "{\"end_block\":5,\"worker_id\":\"nobody\"}", 404, "WORKER_NOT_FOUND")]
    [InlineData("POST", "datasets/api/devnet/versions/dev/deploy", "{\"end_block\":\"soon\"}", 400, "INVALID_END_BLOCK")]
    [InlineData("POST", "datasets/api/nothing/versions/dev/deploy", "{}", 404, "DATASET_NOT_FOUND")]
    [InlineData("GET", "manifests/..%2f..%2fconfig.toml", null, 400, "INVALID_REQUEST")]
    [InlineData("DELETE", "providers/nothing", null, 404, "PROVIDER_NOT_FOUND")]
    public async Task Request_ThatCannotBe_IsRefusedWithCodeAndMessage(string method, string path, string? body, int status, string code)
    {
        var (actual, answer) = await SendAsync(method, path, body);

        var error = JsonDocument.Parse(answer).RootElement;
        Assert.Equal((status, code), ((int)actual, error.GetProperty("error_code").GetString()));
        Assert.NotEqual("", error.GetProperty("error_message").GetString());
    }

    [ToolFact("postgres")]
    public async Task Body_OfAHundredMegabytes_IsRefusedBeforeItIsRead()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _server.Url.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST /datasets HTTP/1.1\r\nHost: localhost:{_server.Url.Port}\r\nContent-Length: 100000000\r\n\r\n"));

        // Not one byte of the body was sent.
        using var reader = new StreamReader(stream);
        var answer = await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(10));
        Assert.StartsWith("HTTP/1.1 413", answer, StringComparison.Ordinal);
        Assert.Contains("\"REQUEST_TOO_LARGE\"", answer, StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Host_OfAnotherName_IsNotAnswered()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "workers") { Headers = { Host = "attacker.example" } };

        using var response = await _http.SendAsync(request);

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.DoesNotContain("worker-01", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task WithAToken_OnlyRequestsThatBringItAreAnswered()
    {
        await using var deployment = await TestDeployment.CreateAsync(postgres, ("admin_api_addr", $"127.0.0.1:{TestTools.FreePort()}"), ("admin_api_token", Token));
        await using var server = AdminApiServer.Start(deployment.Deployment, NullLogger.Instance);

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(null));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync("another text"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(Token));

        async Task<HttpStatusCode> StatusAsync(string? token)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Url, "workers"));
            request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
            using var response = await _http.SendAsync(request);
            Assert.Equal(response.StatusCode == HttpStatusCode.Unauthorized, response.Headers.WwwAuthenticate.Count == 1);
            return response.StatusCode;
        }
    }

    [ToolFact("postgres")]
    public async Task Dispose_WhileARequestIsUnderWay_LetsItEnd()
    {
        await using var deployment = await TestDeployment.CreateAsync(postgres, ("admin_api_addr", $"127.0.0.1:{TestTools.FreePort()}"));
        var server = AdminApiServer.Start(deployment.Deployment, NullLogger.Instance);
        await using var transaction = await deployment.Database.BeginAsync(CancellationToken.None);
        await using (var connection = transaction.Connection!)
        {
            await MetadataDb.Sql.ExecuteAsync(connection, "LOCK TABLE workers IN ACCESS EXCLUSIVE MODE", [], CancellationToken.None);
            var answer = _http.GetAsync(new Uri(server.Url, "workers"));
            await Eventually.TrueAsync(
                async () => await deployment.Database.RunAsync(
                    "looking for the request", other => MetadataDb.Sql.ScalarAsync<bool>(
                        other, "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))", [], CancellationToken.None),
                    null, CancellationToken.None), "the request waits for the database");

            var disposing = server.DisposeAsync().AsTask();
            Assert.False(disposing.IsCompleted);
            await transaction.RollbackAsync();

            Assert.Equal(HttpStatusCode.OK, (await answer).StatusCode);
            await disposing;
        }

        await Assert.ThrowsAsync<HttpRequestException>(() => _http.GetAsync(new Uri(server.Url, "workers")));
    }

    [ToolFact("postgres")]
    public void Start_OnAnAddressInUse_IsRefused()
    {
        var error = Assert.Throws<AmpException>(() => AdminApiServer.Start(_deployment.Deployment, NullLogger.Instance));

        Assert.Equal("AdminApiAddressUnavailable", error.ErrorCode);
        Assert.Contains("admin_api_addr", error.RecommendedAction, StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Dispose_WhoseAddressIsTakenMeanwhile_DoesNotMind()
    {
        var address = new IPEndPoint(IPAddress.Loopback, _server.Url.Port);
        var client = new TcpClient();
        await client.ConnectAsync(address);
        await client.GetStream().WriteAsync("POST /datasets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"u8.ToArray());
        await Task.Delay(100);

        var disposal = _server.DisposeAsync();
        using (var other = new TcpListener(address) { ExclusiveAddressUse = false })
        {
            other.Start();
            client.Dispose();
            await disposal;
        }

        _server = AdminApiServer.Start(_deployment.Deployment, NullLogger.Instance);
    }

    private async Task<JsonElement> GetAsync(string path)
    {
        var (status, answer) = await SendAsync("GET", path, null);
        Assert.True(status == HttpStatusCode.OK, $"{path} answered {status}: {answer}");
        return JsonDocument.Parse(answer).RootElement;
    }

    private async Task<(HttpStatusCode Status, string Answer)> SendAsync(string method, string path, string? body)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path)
        {
            Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json"),
        };
        using var response = await _http.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}
