using System.Globalization;
using System.Text.Json;
using Amp.Configuration;
using Amp.Datasets;
using Amp.MetadataDb;

namespace Amp.Hosting.AdminApi;

/// <summary>What the Admin API answers: the table of all routes, each over the same client that cmdlets use.</summary>
internal sealed class ApiRoutes
{
    private const int DefaultLimit = 50;
    private const int MostJobs = 1000;

    private readonly AmpDeployment _deployment;

    public ApiRoutes(AmpDeployment deployment)
    {
        _deployment = deployment;
        All =
        [
            new("GET", "/workers", "Lists all workers that ever registered.", GetWorkersAsync)
            {
                Fields = [new("workers", "array", "Workers, each as /workers/{node_id} gives it.")],
            },
            new("GET", "/workers/{node_id}", "Gives one worker.", GetWorkerAsync)
            {
                Fields =
                [
                    new("node_id", "string", "Its unique name."), new("created_at", "string", "When it first registered."),
                    new("registered_at", "string", "When it last started."), new("heartbeat_at", "string", "When it last said that it is alive."),
                    new("heartbeat_age", "number", "How many seconds ago that was, by the database's clock."), new("active_jobs", "integer", "How many jobs it has that have not ended."),
                    new("info", "object", "Its build: version, commit_sha, commit_timestamp, build_date."),
                ],
            },
            new("GET", "/jobs", "Lists jobs, newest first.", GetJobsAsync)
            {
                Query =
                [
                    new("limit", "integer", $"At most so many, 1 to {MostJobs}; {DefaultLimit} when left out."),
                    new("last_job_id", "integer", "Only jobs before this one: the next_cursor of the page before."),
                    new("status", "string", "Only jobs in these states, with commas between."),
                ],
                Fields = [new("jobs", "array", "Jobs."), new("next_cursor", "integer", "For last_job_id of the next page; null at the end.")],
            },
            new("GET", "/jobs/{job_id}", "Gives one job.", async (request, token) => ApiAnswer.Ok(ApiObjects.From(await Client.GetJobAsync(request.JobId(), token)))) { Fields = JobFields },
            new("GET", "/jobs/{job_id}/progress", "Says how far a job has come.", async (request, token) => ApiAnswer.Ok(ApiObjects.From(await Client.GetJobProgressAsync(request.JobId(), token))))
            {
                Fields =
                [
                    new("job_id", "integer", "The job."), new("job_status", "string", "Its state."), new("dataset", "string", "Its dataset, as namespace/name."),
                    new("end_block", "integer", "Last block to extract; null for a job that follows the chain."), new("error_message", "string", "Why it failed, when it did."),
                    new("tables", "object", "By name: current_block (end of the contiguous canonical range), start_block, end_block, percent_complete, blocks_count, files_count, total_size_bytes."),
                ],
            },
            new("GET", "/jobs/{job_id}/events", "Lists what happened to a job.", GetEventsAsync)
            {
                Fields = [new("job_id", "integer", "The job."), new("events", "array", "Events, oldest first: id, created_at, node_id, event_type, detail.")],
            },
            new("PUT", "/jobs/{job_id}/stop", "Asks for a job to be stopped.", async (request, token) => ApiAnswer.Ok(ApiObjects.From(await Client.StopJobAsync(request.JobId(), token)))) { Fields = JobFields },
            new("PUT", "/jobs/{job_id}/restart", "Schedules a job that has ended again; it goes on where it stopped.", async (request, token) =>
                ApiAnswer.Ok(ApiObjects.From(await Client.RestartJobAsync(request.JobId(), request.Body.Text("worker_id"), token))))
            {
                Body = [new("worker_id", "string", "Worker to use: a node id or a pattern; its own when left out, if that is active, else the least loaded one.")],
                Fields = JobFields,
            },
            new("DELETE", "/jobs/{job_id}", "Removes a job that has ended.", async (request, token) =>
            {
                await Client.RemoveJobAsync(request.JobId(), token);
                return ApiAnswer.Done;
            }),
            new("DELETE", "/jobs", "Removes all jobs in some states, which must be states of jobs that have ended.", RemoveJobsAsync)
            {
                Query = [new("status", "string", "completed, stopped, error, fatal, with commas between; or terminal for all of them.", IsRequired: true)],
                Fields = [new("jobs_deleted", "integer", "How many.")],
            },
            new("GET", "/datasets", "Lists datasets.", GetDatasetsAsync)
            {
                Fields = [new("datasets", "array", "Datasets: namespace, name, latest_version, versions, and revisions with all that is known of each version and tag.")],
            },
            new("POST", "/datasets", "Registers a dataset version.", RegisterDatasetAsync)
            {
                Body =
                [
                    new("namespace", "string", "Namespace.", IsRequired: true), new("name", "string", "Name.", IsRequired: true),
                    new("version", "string", "A semantic version; dev when left out."), new("manifest", "object", "The manifest.", IsRequired: true),
                ],
                Fields = DatasetFields,
            },
            new("GET", "/datasets/{namespace}/{name}/versions", "Lists the versions of a dataset.", GetVersionsAsync)
            {
                Fields =
                [
                    new("namespace", "string", "Namespace."), new("name", "string", "Name."),
                    new("versions", "array", "Versions: version, manifest_hash, created_at."), new("special_tags", "object", "Where latest and dev point."),
                ],
            },
            new("DELETE", "/datasets/{namespace}/{name}", "Removes a dataset with all its versions; tables and files stay.", async (request, token) =>
            {
                await Client.RemoveDatasetAsync(DatasetReference.Parse($"{request.Values[0]}/{request.Values[1]}"), token);
                return ApiAnswer.Done;
            }),
            new("POST", "/datasets/{namespace}/{name}/versions/{revision}/deploy", "Schedules a job that extracts a dataset version.", DeployAsync)
            {
                Body =
                [
                    new("end_block", "string", "A block's number, a negative number (behind the head), or latest; none to follow the chain."),
                    new("parallelism", "integer", "How many parts of a range are extracted side by side; 1 when left out."),
                    new("workers", "integer", "How many workers extract parts of it at most; 1 when left out."),
                    new("worker_id", "string", "Worker to use: a node id or a pattern."), new("verify", "boolean", "Whether blocks are verified."),
                ],
                Fields = [new("job_id", "integer", "The job.")],
            },
            new("GET", "/manifests/{hash}", "Gives a manifest.", GetManifestAsync)
            {
                Fields =
                [
                    new("kind", "string", "Kind."), new("network", "string", "Network."), new("start_block", "integer", "First block."),
                    new("finalized_blocks_only", "boolean", "Whether only final blocks count."), new("tables", "object", "Tables by name."),
                ],
            },
            new("GET", "/tables", "Lists the tables that jobs have begun to write.", async (_, token) => ApiAnswer.Ok(new { tables = await Client.GetTablesAsync(token).ToListAsync(token) }))
            {
                Fields = [new("tables", "array", "Tables: dataset, table, manifest_hash, location_id, path, start_block, current_block, blocks_count, files_count, total_size_bytes, job_id.")],
            },
            new("GET", "/providers", "Lists providers, secrets left out.", GetProvidersAsync)
            {
                Fields = [new("providers", "array", "Providers: name, kind, network, url, path; error_code and error_message for one whose file cannot be used.")],
            },
            new("POST", "/providers", "Registers a provider.", RegisterProviderAsync)
            {
                Body =
                [
                    new("name", "string", "Name.", IsRequired: true), new("kind", "string", "evm-rpc, which is meant when left out."), new("network", "string", "Network.", IsRequired: true),
                    new("url", "string", "Address of the node.", IsRequired: true), new("auth_header", "string", "Name of the header with the token."),
                    new("auth_token", "string", "Secret sent with each request."), new("concurrent_request_limit", "integer", "Most requests at once."),
                    new("rpc_batch_size", "integer", "Calls in a batch."), new("rate_limit_per_minute", "integer", "Most requests a minute."),
                    new("fetch_receipts_per_tx", "boolean", "Whether receipts are fetched one by one."), new("overwrite", "boolean", "Whether one of that name is replaced."),
                ],
                Fields = ProviderFields,
            },
            new("GET", "/providers/{name}", "Gives one provider, secrets left out.", async (request, token) => ApiAnswer.Ok(await Client.GetProviderAsync(request.Values[0], token))) { Fields = ProviderFields },
            new("DELETE", "/providers/{name}", "Removes a provider.", async (request, token) =>
            {
                await Client.RemoveProviderAsync(request.Values[0], token);
                return ApiAnswer.Done;
            }),
            new("POST", "/providers/{name}/test", "Asks a provider's node who it is.", async (request, token) => ApiAnswer.Ok(await Client.TestProviderAsync(request.Values[0], token)))
            {
                Fields =
                [
                    new("name", "string", "The provider."), new("network", "string", "The network it is configured for."), new("url", "string", "Its address, redacted."),
                    new("success", "boolean", "Whether it is usable."), new("client_version", "string", "The node's software."), new("chain_id", "integer", "Its chain."),
                    new("head", "integer", "Its newest block."), new("latency", "number", "Seconds it took to answer."),
                    new("supports_block_receipts", "boolean", "Whether it gives the receipts of a whole block at once."), new("error_message", "string", "Why it is not usable."),
                ],
            },
        ];
    }

    /// <summary>Every route.</summary>
    public IReadOnlyList<ApiRoute> All { get; }

    private static IReadOnlyList<ApiField> JobFields { get; } =
    [
        new("id", "integer", "The job's number."), new("created_at", "string", "When it was created."), new("updated_at", "string", "When its state last changed."),
        new("node_id", "string", "The worker it is assigned to."), new("status", "string", "Its state."), new("descriptor", "object", "What it is to do."),
        new("attempts", "integer", "How often it was scheduled."), new("error_code", "string", "Code of its failure, when it failed."), new("error_message", "string", "Why it failed."),
    ];

    private static IReadOnlyList<ApiField> DatasetFields { get; } =
    [
        new("namespace", "string", "Namespace."), new("name", "string", "Name."), new("dataset", "string", "Both, as namespace/name."), new("version", "string", "Version."),
        new("manifest_hash", "string", "Its manifest."), new("kind", "string", "Kind."), new("network", "string", "Network."), new("start_block", "integer", "First block."),
        new("tables", "array", "Names of its tables."), new("created_at", "string", "When it was registered."),
    ];

    private static IReadOnlyList<ApiField> ProviderFields { get; } =
        [new("name", "string", "Name."), new("kind", "string", "Kind."), new("network", "string", "Network."), new("url", "string", "Its address, redacted."), new("path", "string", "Its file.")];

    private IAmpClient Client => _deployment.Client;

    private async Task<ApiAnswer> GetWorkersAsync(ApiRequest request, CancellationToken cancellationToken) =>
        ApiAnswer.Ok(new { workers = await Client.GetWorkersAsync(cancellationToken).Select(ApiObjects.From).ToListAsync(cancellationToken) });

    private async Task<ApiAnswer> GetWorkerAsync(ApiRequest request, CancellationToken cancellationToken) => ApiAnswer.Ok(ApiObjects.From(
        await Client.GetWorkersAsync(cancellationToken).FirstOrDefaultAsync(worker => worker.NodeId == request.Values[0], cancellationToken)
        ?? throw JobErrors.WorkerNotFound(request.Values[0])));

    private async Task<ApiAnswer> GetJobsAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        var limit = (int)(Number(request, "limit", 1, MostJobs) ?? DefaultLimit);
        var query = new JobQuery { Limit = limit, BeforeJobId = Number(request, "last_job_id", 1, long.MaxValue), Status = Statuses(request) };
        var jobs = await Client.GetJobsAsync(query, cancellationToken).ToListAsync(cancellationToken);
        return ApiAnswer.Ok(new { jobs = jobs.Select(ApiObjects.From), next_cursor = jobs.Count == limit ? jobs[^1].JobId : (long?)null });
    }

    private async Task<ApiAnswer> GetEventsAsync(ApiRequest request, CancellationToken cancellationToken) => ApiAnswer.Ok(new
    {
        job_id = request.JobId(),
        events = await Client.GetJobEventsAsync(request.JobId(), cancellationToken).Select(ApiObjects.From).ToListAsync(cancellationToken),
    });

    private async Task<ApiAnswer> RemoveJobsAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        var statuses = request.Query.GetValueOrDefault("status") == "terminal" ? JobStatusText.Terminal : Statuses(request);
        return statuses.Count > 0 && statuses.All(JobStatusText.Terminal.Contains)
            ? ApiAnswer.Ok(new { jobs_deleted = await Client.RemoveJobsAsync([.. statuses], cancellationToken) })
            : throw ApiJson.Invalid("status must name states of jobs that have ended: completed, stopped, error, fatal, or terminal for all");
    }

    private async Task<ApiAnswer> GetDatasetsAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        var versions = await Client.GetDatasetsAsync(cancellationToken).ToListAsync(cancellationToken);
        return ApiAnswer.Ok(new
        {
            datasets = versions.GroupBy(version => (version.Namespace, version.Name)).Select(dataset => new
            {
                @namespace = dataset.Key.Namespace,
                name = dataset.Key.Name,
                latest_version = dataset.FirstOrDefault(version => !IsTag(version))?.Version,
                versions = dataset.Where(version => !IsTag(version)).Select(version => version.Version),
                revisions = dataset,
            }),
        });
    }

    private async Task<ApiAnswer> RegisterDatasetAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        var (body, version) = (request.Body, request.Body.Text("version"));
        var reference = DatasetReference.Parse($"{body.RequireText("namespace")}/{body.RequireText("name")}{(version is null ? "" : $"@{version}")}");
        var manifest = body.TryGetProperty("manifest", out var json) && json.ValueKind == JsonValueKind.Object ? json.GetRawText() : throw ApiJson.Invalid("the body lacks \"manifest\", an object");
        var dataset = await Client.RegisterDatasetAsync(reference, manifest, cancellationToken);
        return ApiAnswer.Created(dataset);
    }

    private async Task<ApiAnswer> GetVersionsAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        var (space, name) = (request.Values[0], request.Values[1]);
        var versions = await Client.GetDatasetsAsync(cancellationToken)
            .Where(version => version.Namespace == space && version.Name == name).ToListAsync(cancellationToken);
        return versions.Count == 0
            ? throw JobErrors.DatasetNotFound($"{space}/{name}")
            : ApiAnswer.Ok(new
            {
                @namespace = space,
                name,
                versions = versions.Where(version => !IsTag(version)).Select(version => new { version.Version, version.ManifestHash, version.CreatedAt }),
                special_tags = versions.Where(IsTag).ToDictionary(version => version.Version, version => version.ManifestHash),
            });
    }

    private async Task<ApiAnswer> DeployAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        var body = request.Body;
        var end = body.TryGetProperty("end_block", out var value) ? value : default;
        var job = await Client.StartJobAsync(
            new StartJobRequest(
                DatasetReference.Parse($"{request.Values[0]}/{request.Values[1]}@{request.Values[2]}"),
                end.ValueKind switch
                {
                    JsonValueKind.Undefined or JsonValueKind.Null => null,
                    JsonValueKind.String => end.GetString(),
                    JsonValueKind.Number => end.GetRawText(),
                    _ => throw ApiJson.Invalid("\"end_block\" is neither a number nor a text"),
                })
            {
                MaxWriters = UpTo64(body, "parallelism"),
                Workers = UpTo64(body, "workers"),
                Worker = body.Text("worker_id"),
                Verify = body.Flag("verify"),
            },
            cancellationToken);
        return new ApiAnswer(202, new { job_id = job.JobId });
    }

    private async Task<ApiAnswer> GetManifestAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        var hash = request.Values[0];
        if (hash.Length != 64 || !hash.All(char.IsAsciiHexDigitLower))
        {
            throw ApiJson.Invalid("a manifest's hash has 64 hex digits in lower case");
        }

        var manifest = await new ManifestStore(_deployment.Configuration.ManifestsDir).ReadAsync(hash, cancellationToken: cancellationToken);
        return ApiAnswer.Ok(JsonSerializer.Deserialize<JsonElement>(manifest.ToJson()));
    }

    private async Task<ApiAnswer> GetProvidersAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        var providers = new List<object>();
        await foreach (var name in Client.GetProviderNamesAsync(cancellationToken))
        {
            try
            {
                providers.Add(await Client.GetProviderAsync(name, cancellationToken));
            }
            catch (AmpException e)
            {
                providers.Add(new { name, error_code = e.ApiErrorCode, error_message = e.Message });
            }
        }

        return ApiAnswer.Ok(new { providers });
    }

    private async Task<ApiAnswer> RegisterProviderAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        var body = request.Body;
        var provider = new ProviderConfig
        {
            Name = body.RequireText("name"),
            Kind = body.Text("kind") ?? "evm-rpc",
            Network = body.RequireText("network"),
            Url = Secret.ForUrl(body.RequireText("url")),
            AuthHeader = body.Text("auth_header"),
            AuthToken = body.Text("auth_token") is { } token ? new Secret(token) : null,
            RateLimitPerMinute = body.Integer("rate_limit_per_minute"),
            FetchReceiptsPerTx = body.Flag("fetch_receipts_per_tx"),
        };
        provider = provider with
        {
            ConcurrentRequestLimit = body.Integer("concurrent_request_limit") ?? provider.ConcurrentRequestLimit,
            RpcBatchSize = body.Integer("rpc_batch_size") ?? provider.RpcBatchSize,
        };
        return ApiAnswer.Created(await Client.RegisterProviderAsync(provider, body.Flag("overwrite"), cancellationToken));
    }

    private static int UpTo64(JsonElement body, string name) => body.Integer(name) is not { } number ? 1
        : number is >= 1 and <= 64 ? number
        : throw ApiJson.Invalid($"\"{name}\" is not a number from 1 to 64");

    private static bool IsTag(AmpDataset version) => version.Version is "latest" or "dev";

    private static IReadOnlyList<AmpJobStatus> Statuses(ApiRequest request) =>
        [.. (request.Query.GetValueOrDefault("status") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(text =>
            JobStatusText.Parse(text) is var status and not AmpJobStatus.Unknown ? status : throw ApiJson.Invalid($"'{text}' is not a state of jobs"))];

    private static long? Number(ApiRequest request, string name, long min, long max) => !request.Query.TryGetValue(name, out var text) ? null
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max ? number
        : throw ApiJson.Invalid($"{name} is not a number from {min} to {max}");
}
