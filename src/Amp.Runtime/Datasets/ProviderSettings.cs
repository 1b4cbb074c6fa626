using Amp.Configuration;

namespace Amp.Datasets;

/// <summary>Every key of a provider file.</summary>
internal static class ProviderSettings
{
    public static readonly Setting<string> Kind = new("kind", KindType(), null, "Kind of provider.");

    public static readonly Setting<string> Network = new("network", SettingType.Text, null, "Network it serves.");

    public static readonly Setting<Secret> Url = new("url", SettingType.NodeUrl, null, "Address of the node.");

    public static readonly Setting<string> AuthHeader = new("auth_header", SettingType.Text, null, "Header for the token.");

    public static readonly Setting<Secret> AuthToken = new("auth_token", SettingType.Secret, null, "Token sent with requests.");

    public static readonly Setting<long> ConcurrentRequestLimit = new(
        "concurrent_request_limit", SettingType.Integer(1, ushort.MaxValue), 1024, "Most requests under way at once.");

    public static readonly Setting<long> RpcBatchSize = new(
        "rpc_batch_size", SettingType.Integer(0, 100_000), 0, "Requests in a batch; 0 for no batches.");

    public static readonly Setting<long> RateLimitPerMinute = new(
        "rate_limit_per_minute", SettingType.Integer(1, int.MaxValue), 0, "Most requests per minute.");

    public static readonly Setting<bool> FetchReceiptsPerTx = new(
        "fetch_receipts_per_tx", SettingType.Boolean, false, "Whether receipts are fetched one by one.");

    public static readonly Setting<TimeSpan> Timeout = new(
        "timeout_secs", SettingType.Duration(0.1, 3600), TimeSpan.FromSeconds(30), "Longest time a request may take, in seconds.");

    public static readonly IReadOnlyList<Setting> All =
    [
        Kind, Network, Url, AuthHeader, AuthToken, ConcurrentRequestLimit, RpcBatchSize, RateLimitPerMinute,
        FetchReceiptsPerTx, Timeout,
    ];

    /// <summary>A known kind, or, in a file as it is stored, a <c>${NAME}</c> that will be one.</summary>
    private static SettingType KindType()
    {
        var known = SettingType.Choice(RawManifest.EvmRpcKind);
        return known with
        {
            Read = value => value is TomlString text && EnvironmentReferences.Any(text.Value) ? text.Value : known.Read(value),
        };
    }
}
