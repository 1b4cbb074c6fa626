using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.RegularExpressions;
using Amazon.Runtime.Credentials;
using Confluent.Kafka;

namespace Amp.Events;

/// <summary>
/// Logs Kafka clients in to Amazon MSK by IAM: the token is a signed URL, good for 15 minutes or as long as the credentials are.
/// librdkafka asks for the next one when four fifths of that are over.
/// </summary>
/// <param name="region">The cluster's region.</param>
/// <param name="time">The clock.</param>
/// <param name="findKeyAsync">Finds credentials.</param>
internal sealed partial class AwsMskTokens(string region, TimeProvider time, Func<Task<AwsKey>> findKeyAsync)
{
    private const string Principal = "amp";
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(15);

    /// <summary>Tokens by the credentials that AWS's own tools would find: environment, profile, container or instance.</summary>
    public static AwsMskTokens Of(string region) => new(region, TimeProvider.System, FindKeyAsync);

    /// <summary>The region in the name of a cluster's host; null when it is not one of MSK's.</summary>
    public static string? RegionOf(IEnumerable<string> brokers) =>
        brokers.Select(broker => HostPattern().Match(broker)).FirstOrDefault(match => match.Success)?.Groups[1].Value;

    /// <summary>Gives a client a token, or tells it why there is none; it asks again by itself.</summary>
    [SuppressMessage("Usage", "VSTHRD002:Avoid problematic synchronous waits", Justification = "librdkafka calls this synchronously, on a thread of its own")]
    public void Refresh(IClient client)
    {
        try
        {
            var (token, expires) = Task.Run(CreateAsync).GetAwaiter().GetResult();
            client.OAuthBearerSetToken(token, expires.ToUnixTimeMilliseconds(), Principal);
        }
        catch (Exception e)
        {
            client.OAuthBearerSetTokenFailure($"no AWS credentials for Kafka: {e.Message}");
        }
    }

    /// <summary>A token and when it ends.</summary>
    public async Task<(string Token, DateTimeOffset Expires)> CreateAsync()
    {
        var key = await findKeyAsync();
        var now = time.GetUtcNow();
        var lifetime = key.Expiration is { } end && end - now < Lifetime ? end - now : Lifetime;
        if (lifetime < TimeSpan.FromSeconds(1))
        {
            throw new InvalidOperationException($"the credentials of {key} expired at {key.Expiration:u}");
        }

        var url = AwsSignature.Presign(
            $"kafka.{region}.amazonaws.com", "/", [KeyValuePair.Create("Action", "kafka-cluster:Connect")], "kafka-cluster", region, key, now, lifetime, AwsSignature.EmptyPayload);

        // Not signed; MSK logs it.
        return (Base64Url.EncodeToString(Encoding.UTF8.GetBytes($"{url}&User-Agent=amp")), now + lifetime);
    }

    private static async Task<AwsKey> FindKeyAsync()
    {
        var credentials = new DefaultAWSCredentialsIdentityResolver().ResolveIdentity(clientConfig: null);
        var key = await credentials.GetCredentialsAsync();
        return new AwsKey(key.AccessKey, key.SecretKey, key.UseToken ? key.Token : null, credentials.Expiration is { } end ? new DateTimeOffset(end.ToUniversalTime()) : null);
    }

    [GeneratedRegex(@"\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?(:\d+)?$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex HostPattern();
}
