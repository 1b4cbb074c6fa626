using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Amp.Configuration;
using Amp.Datasets;
using Amp.Hosting.AdminApi;
using Amp.MetadataDb;

namespace Amp.Hosting;

/// <summary>Reaches a deployment through its Admin API. Times are those of the API, in whole seconds.</summary>
internal sealed class HttpAmpClient : IAmpClient
{
    private const int JobPage = 200;

    // The server gives up on an answer after 30 s, and says so.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    private readonly HttpClient _http = new() { Timeout = Patience };

    /// <summary>Makes a client; asks nothing yet.</summary>
    /// <param name="address">The API's address, with the path of a proxy where there is one.</param>
    /// <param name="token">Its bearer token, if it asks for one.</param>
    /// <exception cref="AmpException"><c>AdminApiAddressInvalid</c>.</exception>
    public HttpAmpClient(Uri address, Secret? token)
    {
        if (!address.IsAbsoluteUri || address.Scheme is not ("http" or "https") || address.UserInfo.Length > 0 || address.Query.Length > 0)
        {
            var shown = address.OriginalString.AsSpan().IndexOfAny('@', '?') < 0 ? address.OriginalString : Redaction.Url(address.OriginalString);
            throw new AmpException("AdminApiAddressInvalid", AmpErrorKind.InvalidInput, $"'{shown}' is not the address of an Admin API.")
            {
                Target = shown,
                RecommendedAction = "Give one such as http://127.0.0.1:1610, without user or query; a token goes into -Token.",
            };
        }

        Address = address.AbsolutePath.EndsWith('/') ? address : new Uri(address.AbsoluteUri + "/");
        _http.BaseAddress = Address;
        _http.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token.Reveal());
    }

    /// <summary>The API's address.</summary>
    public Uri Address { get; }

    /// <inheritdoc/>
    public IAsyncEnumerable<AmpWorker> GetWorkersAsync(CancellationToken cancellationToken) =>
        ListAsync("workers", "workers", ApiObjects.Worker, cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<AmpJob> GetJobsAsync(JobQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var status = query.Status.Count == 0 ? "" : $"&status={Join(query.Status)}";
        var left = query.Limit ?? int.MaxValue;
        for (var before = query.BeforeJobId; left > 0;)
        {
            var last = before is null ? "" : string.Create(CultureInfo.InvariantCulture, $"&last_job_id={before}");
            var page = await GetAsync($"jobs?limit={Math.Min(left, JobPage)}{last}{status}", cancellationToken);
            foreach (var job in Parse(page, json => json.GetProperty("jobs").EnumerateArray().Select(ApiObjects.Job).ToList()))
            {
                left--;
                yield return job;
            }

            before = Parse(page, json => json.GetProperty("next_cursor").Deserialize<long?>());
            if (before is null)
            {
                yield break;
            }
        }
    }

    /// <inheritdoc/>
    public async Task<AmpJob> GetJobAsync(long jobId, CancellationToken cancellationToken) => Parse(await GetAsync(PathOf(jobId), cancellationToken), ApiObjects.Job);

    /// <inheritdoc/>
    public async Task<AmpJobProgress> GetJobProgressAsync(long jobId, CancellationToken cancellationToken) =>
        Parse(await GetAsync($"{PathOf(jobId)}/progress", cancellationToken), ApiObjects.Progress);

    /// <inheritdoc/>
    public async Task<AmpJob> StartJobAsync(StartJobRequest request, CancellationToken cancellationToken)
    {
        var version = request.Dataset.Version ?? await DefaultVersionAsync(request.Dataset, cancellationToken);
        var body = new { end_block = request.EndBlock, parallelism = request.MaxWriters, workers = request.Workers, worker_id = request.Worker, verify = request.Verify };
        var answer = await SendAsync(HttpMethod.Post, $"{PathOf(request.Dataset)}/versions/{Escape(version)}/deploy", body, cancellationToken);
        return await GetJobAsync(Parse(answer, json => json.GetProperty("job_id").GetInt64()), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<AmpJob> StopJobAsync(long jobId, CancellationToken cancellationToken)
    {
        await SendAsync(HttpMethod.Put, $"{PathOf(jobId)}/stop", null, cancellationToken);
        return await GetJobAsync(jobId, cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<AmpJobEvent> GetJobEventsAsync(long jobId, CancellationToken cancellationToken) =>
        ListAsync($"{PathOf(jobId)}/events", "events", json => ApiObjects.Event(jobId, json), cancellationToken);

    /// <inheritdoc/>
    public async Task<AmpJob> RestartJobAsync(long jobId, string? worker, CancellationToken cancellationToken) =>
        Parse(await SendAsync(HttpMethod.Put, $"{PathOf(jobId)}/restart", new { worker_id = worker }, cancellationToken), ApiObjects.Job);

    /// <inheritdoc/>
    public Task RemoveJobAsync(long jobId, CancellationToken cancellationToken) => SendAsync(HttpMethod.Delete, PathOf(jobId), null, cancellationToken);

    /// <inheritdoc/>
    public async Task<int> RemoveJobsAsync(IReadOnlyCollection<AmpJobStatus> statuses, CancellationToken cancellationToken) =>
        Parse(await SendAsync(HttpMethod.Delete, $"jobs?status={Join(statuses)}", null, cancellationToken), json => json.GetProperty("jobs_deleted").GetInt32());

    /// <inheritdoc/>
    public Task RemoveDatasetAsync(DatasetReference dataset, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, PathOf(dataset), null, cancellationToken);

    /// <inheritdoc/>
    public async Task<AmpDataset> RegisterDatasetAsync(DatasetReference dataset, string manifestJson, CancellationToken cancellationToken)
    {
        // What is no manifest is refused by the same words as without the API between.
        var manifest = ManifestJson.Parse(System.Text.Encoding.UTF8.GetBytes(manifestJson), "the manifest").ToJson();
        var body = new { @namespace = dataset.Namespace, name = dataset.Name, version = dataset.Version, manifest = JsonSerializer.Deserialize<JsonElement>(manifest) };
        return Parse<AmpDataset>(await SendAsync(HttpMethod.Post, "datasets", body, cancellationToken));
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<AmpDataset> GetDatasetsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var answer = await GetAsync("datasets", cancellationToken);
        foreach (var dataset in Parse(answer, json => json.GetProperty("datasets").EnumerateArray()
            .SelectMany(dataset => dataset.GetProperty("revisions").EnumerateArray()).Select(Read<AmpDataset>).ToList()))
        {
            yield return dataset;
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<AmpTable> GetTablesAsync(CancellationToken cancellationToken) => ListAsync("tables", "tables", Read<AmpTable>, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<string> GetProviderNamesAsync(CancellationToken cancellationToken) =>
        ListAsync("providers", "providers", json => json.GetProperty("name").GetString()!, cancellationToken);

    /// <inheritdoc/>
    public async Task<AmpProvider> GetProviderAsync(string name, CancellationToken cancellationToken) =>
        Parse<AmpProvider>(await GetAsync($"providers/{Escape(name)}", cancellationToken));

    /// <inheritdoc/>
    public async Task<AmpProvider> RegisterProviderAsync(ProviderConfig provider, bool overwrite, CancellationToken cancellationToken)
    {
        var body = new
        {
            name = provider.Name,
            kind = provider.Kind,
            network = provider.Network,
            url = provider.Url.Reveal(),
            auth_header = provider.AuthHeader,
            auth_token = provider.AuthToken?.Reveal(),
            concurrent_request_limit = provider.ConcurrentRequestLimit,
            rpc_batch_size = provider.RpcBatchSize,
            rate_limit_per_minute = provider.RateLimitPerMinute,
            fetch_receipts_per_tx = provider.FetchReceiptsPerTx,
            overwrite,
        };
        return Parse<AmpProvider>(await SendAsync(HttpMethod.Post, "providers", body, cancellationToken));
    }

    /// <inheritdoc/>
    public Task RemoveProviderAsync(string name, CancellationToken cancellationToken) => SendAsync(HttpMethod.Delete, $"providers/{Escape(name)}", null, cancellationToken);

    /// <inheritdoc/>
    public async Task<AmpProviderTest> TestProviderAsync(string name, CancellationToken cancellationToken) =>
        Parse<AmpProviderTest>(await SendAsync(HttpMethod.Post, $"providers/{Escape(name)}/test", null, cancellationToken));

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<string> DefaultVersionAsync(DatasetReference dataset, CancellationToken cancellationToken) => Parse(
        await GetAsync($"{PathOf(dataset)}/versions", cancellationToken),
        json => json.GetProperty("special_tags").TryGetProperty("latest", out _) ? "latest" : "dev");

    private async IAsyncEnumerable<T> ListAsync<T>(
        string path, string field, Func<JsonElement, T> read, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var answer = await GetAsync(path, cancellationToken);
        foreach (var item in Parse(answer, json => json.GetProperty(field).EnumerateArray().Select(read).ToList()))
        {
            yield return item;
        }
    }

    private Task<JsonElement> GetAsync(string path, CancellationToken cancellationToken) => SendAsync(HttpMethod.Get, path, null, cancellationToken);

    private async Task<JsonElement> SendAsync(HttpMethod method, string path, object? body, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body, options: ApiJson.Options) };
            using var response = await _http.SendAsync(request, cancellationToken);
            var bytes = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            var answer = bytes.Length == 0 ? default : ParseJson(bytes);
            return response.IsSuccessStatusCode ? answer : throw Refused(response.StatusCode, answer);
        }
        catch (HttpRequestException e)
        {
            throw Unavailable(e.InnerException?.Message ?? e.Message, e);
        }
        catch (OperationCanceledException e) when (e.InnerException is TimeoutException)
        {
            throw Unavailable($"there was no answer within {Patience.TotalSeconds:0} s", e);
        }
    }

    private AmpException Refused(HttpStatusCode status, JsonElement answer) => status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden
        ? new AmpException("AdminApiAccessDenied", AmpErrorKind.Denied, $"The Admin API at {Address} wants another token: the bearer token is missing or wrong.")
        {
            Target = Address,
            RecommendedAction = $"Connect-Amp -Uri {Address} -Token (Read-Host -AsSecureString)",
        }
        : ApiObjects.Error(answer, Kind(status)) ?? AnswerInvalid($"it answered {(int)status}, without saying why");

    private static AmpErrorKind Kind(HttpStatusCode status) => status switch
    {
        HttpStatusCode.NotFound => AmpErrorKind.NotFound,
        HttpStatusCode.Conflict => AmpErrorKind.Conflict,
        HttpStatusCode.ServiceUnavailable => AmpErrorKind.Unavailable,
        < HttpStatusCode.InternalServerError => AmpErrorKind.InvalidInput,
        _ => AmpErrorKind.Internal,
    };

    private JsonElement ParseJson(byte[] bytes)
    {
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(bytes);
        }
        catch (JsonException)
        {
            throw AnswerInvalid("it answers with something that is not JSON");
        }
    }

    private T Parse<T>(JsonElement answer) => Parse(answer, Read<T>);

    private T Parse<T>(JsonElement answer, Func<JsonElement, T> read)
    {
        try
        {
            return read(answer);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or JsonException)
        {
            throw AnswerInvalid($"its answer lacks something, or has something of another type: {e.Message.TrimEnd('.')}", e);
        }
    }

    private AmpException AnswerInvalid(string reason, Exception? cause = null) =>
        new("AdminApiAnswerInvalid", AmpErrorKind.InvalidData, $"What is at {Address} does not answer as an Admin API does: {reason}.", cause)
        {
            Target = Address,
            RecommendedAction = "See that the address is a controller's (admin_api_addr), and that its version is this module's.",
        };

    private AmpException Unavailable(string reason, Exception cause) =>
        new("AdminApiUnavailable", AmpErrorKind.Unavailable, $"The Admin API at {Address} does not answer: {reason.TrimEnd('.')}.", cause)
        {
            Target = Address,
            RecommendedAction = "See that a controller runs there (Start-AmpController, or ampd controller), and that admin_api_addr is an address this machine reaches.",
            IsTransient = true,
        };

    private static T Read<T>(JsonElement json) => json.Deserialize<T>(ApiJson.Options)!;

    private static string PathOf(long jobId) => string.Create(CultureInfo.InvariantCulture, $"jobs/{jobId}");

    private static string PathOf(DatasetReference dataset) => $"datasets/{Escape(dataset.Namespace)}/{Escape(dataset.Name)}";

    private static string Escape(string text) => Uri.EscapeDataString(text);

    private static string Join(IEnumerable<AmpJobStatus> statuses) => string.Join(',', statuses.Select(status => status.ToText()));
}
