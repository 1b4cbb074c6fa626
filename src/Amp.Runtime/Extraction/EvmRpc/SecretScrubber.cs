namespace Amp.Extraction.EvmRpc;

/// <summary>Takes a provider's secrets out of texts that others wrote: a node's message may repeat the token or the key in the URL.</summary>
internal sealed class SecretScrubber
{
    // Shorter parts of a URL are words such as "v2".
    private const int ShortestSecret = 8;

    private readonly string[] _secrets;

    public SecretScrubber(EvmRpcOptions options) =>
        _secrets = [.. options.Url.PathAndQuery.Split('/', '?', '&', '=').Append(options.Url.UserInfo).Where(part => part.Length >= ShortestSecret)
            .Append(options.AuthToken).OfType<string>().Where(part => part.Length > 0)];

    /// <summary>The text with asterisks in place of secrets.</summary>
    public string Scrub(string text) =>
        _secrets.Aggregate(text, (scrubbed, secret) => scrubbed.Replace(secret, "***", StringComparison.Ordinal));
}
