using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Amp.Events;

/// <summary>What AWS knows a caller by.</summary>
/// <param name="AccessKeyId">Name of the key.</param>
/// <param name="SecretKey">The key. Never shown or logged.</param>
/// <param name="SessionToken">Token of temporary credentials; null for permanent ones.</param>
/// <param name="Expiration">When temporary credentials end; null for permanent ones.</param>
internal sealed record AwsKey(string AccessKeyId, string SecretKey, string? SessionToken, DateTimeOffset? Expiration)
{
    /// <summary>Returns the name of the key: a record's own text would show the key.</summary>
    public override string ToString() => AccessKeyId;
}

/// <summary>Signs URLs for AWS: Signature Version 4, in the query.</summary>
internal static class AwsSignature
{
    private const string Algorithm = "AWS4-HMAC-SHA256";

    /// <summary>SHA-256 of nothing: the body of a GET.</summary>
    public static readonly string EmptyPayload = Hex(SHA256.HashData([]));

    /// <summary>A URL whose GET is signed; whoever has it may use it until it expires.</summary>
    /// <param name="host">The host, which is signed too.</param>
    /// <param name="path">The path, already escaped.</param>
    /// <param name="query">Items of the query, not escaped.</param>
    /// <param name="service">The service's name in the credential scope.</param>
    /// <param name="region">The region.</param>
    /// <param name="key">Who signs.</param>
    /// <param name="time">When.</param>
    /// <param name="lifetime">How long the URL is good for, in whole seconds.</param>
    /// <param name="payload">Hash of the body: <see cref="EmptyPayload"/>, or what the service takes instead.</param>
    public static string Presign(
        string host, string path, IEnumerable<KeyValuePair<string, string>> query, string service, string region, AwsKey key, DateTimeOffset time, TimeSpan lifetime,
        string payload)
    {
        var date = time.UtcDateTime.ToString("yyyyMMdd", CultureInfo.InvariantCulture);
        var moment = time.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var scope = $"{date}/{region}/{service}/aws4_request";
        var items = new SortedDictionary<string, string>(query.ToDictionary(), StringComparer.Ordinal)
        {
            ["X-Amz-Algorithm"] = Algorithm,
            ["X-Amz-Credential"] = $"{key.AccessKeyId}/{scope}",
            ["X-Amz-Date"] = moment,
            ["X-Amz-Expires"] = ((long)lifetime.TotalSeconds).ToString(CultureInfo.InvariantCulture),
            ["X-Amz-SignedHeaders"] = "host",
        };
        if (key.SessionToken is { } token)
        {
            items["X-Amz-Security-Token"] = token;
        }

        var canonicalQuery = string.Join('&', items.Select(item => $"{Uri.EscapeDataString(item.Key)}={Uri.EscapeDataString(item.Value)}"));
        var canonicalRequest = $"GET\n{path}\n{canonicalQuery}\nhost:{host}\n\nhost\n{payload}";
        var toSign = $"{Algorithm}\n{moment}\n{scope}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonicalRequest)))}";
        var signingKey = new[] { date, region, service, "aws4_request" }.Aggregate(Encoding.UTF8.GetBytes($"AWS4{key.SecretKey}"), Sign);
        return $"https://{host}{path}?{canonicalQuery}&X-Amz-Signature={Hex(Sign(signingKey, toSign))}";
    }

    private static byte[] Sign(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
