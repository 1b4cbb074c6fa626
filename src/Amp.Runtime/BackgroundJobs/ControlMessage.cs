using System.Globalization;
using System.Text.Json;

namespace Amp.BackgroundJobs;

/// <summary>A message of another service about a tenant: a CloudEvent in structured JSON, or an object with the same members and no envelope.</summary>
/// <param name="Topic">Where it was read, which says what it tells.</param>
/// <param name="EventId">Its number, unique within the topic.</param>
/// <param name="TenantId">Whom it is about.</param>
/// <param name="Time">When what it tells happened.</param>
/// <param name="Kind">What it tells.</param>
internal sealed record ControlMessage(string Topic, string EventId, Guid TenantId, DateTimeOffset Time, ControlKind Kind)
{
    private const string TenantTopics = "eventzr.auth.tenant.";
    private const string SubscriptionTopics = "eventzr.subscriptions.changed.";
    private const string WalletTopics = "eventzr.wallet.suspended.";

    private const int MaxTextLength = 256;

    private static readonly ControlLimits NoLimits = new(null, null, null, null);

    /// <summary>Patterns of the topics to read, as librdkafka wants them.</summary>
    public static IReadOnlyList<string> TopicPatterns { get; } =
        [.. new[] { TenantTopics, SubscriptionTopics, WalletTopics }.Select(prefix => $"^{prefix.Replace(".", @"\.", StringComparison.Ordinal)}.*")];

    /// <summary>The tier; null where it stays as it is.</summary>
    public string? Tier { get; private init; }

    /// <summary>The limits of the tier, and those that the message gives instead; null where they stay as they are.</summary>
    public ControlLimits Limits { get; private init; } = NoLimits;

    /// <summary>Whether messages of a topic tell anything that matters here.</summary>
    public static bool IsKnown(string topic) => KindOf(topic) is not null;

    /// <summary>Reads a message; members that are not known are left out.</summary>
    /// <param name="topic">Its topic, one that is known.</param>
    /// <param name="message">JSON.</param>
    /// <param name="sentAt">Its time when it says none.</param>
    /// <exception cref="AmpException"><c>ControlMessageMalformed</c>: it says what is wrong.</exception>
    public static ControlMessage Read(string topic, ReadOnlyMemory<byte> message, DateTimeOffset sentAt)
    {
        var kind = KindOf(topic) ?? throw Malformed("its topic tells nothing of a tenant");
        try
        {
            using var document = JsonDocument.Parse(message);
            var root = document.RootElement;
            if (root.ValueKind is not JsonValueKind.Object)
            {
                throw Malformed($"it is a JSON {root.ValueKind}, not an object");
            }

            var data = DataOf(root);
            var read = new ControlMessage(
                topic, Text(root, "id") ?? throw Malformed("it has no text 'id'"), TenantOf(root, data), TimeOf(root) ?? sentAt,
                kind is ControlKind.Suspended && IsActive(data) ? ControlKind.Resumed : kind);
            return kind switch
            {
                ControlKind.Created => read.WithTier(Text(data, "tier") ?? Text(data, "plan") ?? "standard", NoLimits),
                ControlKind.LimitsChanged => read.WithTier(Text(data, "tier") ?? Text(data, "plan"), LimitsOf(data)),
                _ => read,
            };
        }
        catch (JsonException e)
        {
            throw Malformed($"it is not JSON: {e.Message.TrimEnd('.')}", e);
        }
        catch (InvalidOperationException e)
        {
            // Text that is no Unicode is found only when it is looked at.
            throw Malformed($"it has text that cannot be read: {e.Message.TrimEnd('.')}", e);
        }
    }

    private static ControlKind? KindOf(string topic) =>
        topic.StartsWith(SubscriptionTopics, StringComparison.Ordinal) ? ControlKind.LimitsChanged
        : topic.StartsWith(WalletTopics, StringComparison.Ordinal) ? ControlKind.Suspended
        : !topic.StartsWith(TenantTopics, StringComparison.Ordinal) ? null
        : topic[TenantTopics.Length..].Split('.')[0] switch
        {
            "created" => ControlKind.Created,
            "deleted" => ControlKind.Deleted,
            _ => null,
        };

    private ControlMessage WithTier(string? tier, ControlLimits given) => this with
    {
        Tier = tier,
        Limits = tier is not null ? given.Or(ControlLimits.Of(TenantsTable.LimitsOf(tier)))
            : given != NoLimits ? given
            : throw Malformed("it has neither 'tier' nor 'plan' nor 'limits'"),
    };

    private static JsonElement DataOf(JsonElement root) =>
        Member(root, "data") is not { } data ? root
        : data.ValueKind is JsonValueKind.Object ? data
        : throw Malformed($"its 'data' is a JSON {data.ValueKind}, not an object");

    private static Guid TenantOf(JsonElement root, JsonElement data)
    {
        var text = Text(data, "tenantId") ?? Text(data, "tenant_id") ?? Text(root, "tenantId") ?? Text(root, "tenant_id") ?? Text(root, "subject")
            ?? throw Malformed("it names no tenant");
        return Guid.TryParse(text, out var id) ? id : throw Malformed($"its tenant '{text}' is no UUID");
    }

    private static DateTimeOffset? TimeOf(JsonElement root) =>
        Text(root, "time") is not { } text ? null
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time
        : throw Malformed($"its time '{text}' is none");

    private static bool IsActive(JsonElement data) =>
        Member(data, "active") is { } active
        && (active.ValueKind is JsonValueKind.True or JsonValueKind.False ? active.GetBoolean() : throw Malformed($"its 'active' is a JSON {active.ValueKind}, not true or false"));

    private static ControlLimits LimitsOf(JsonElement data)
    {
        return Member(data, "limits") is not { } limits ? NoLimits
            : limits.ValueKind is JsonValueKind.Object ? new ControlLimits(Limit("daily"), Limit("queued"), Limit("running"), Limit("payload"))
            : throw Malformed($"its 'limits' are a JSON {limits.ValueKind}, not an object");

        int? Limit(string name) =>
            Member(limits, name) is not { } limit ? null
            : limit.ValueKind is JsonValueKind.Number && limit.TryGetInt32(out var value) && value > 0 ? value
            : throw Malformed($"its limit '{name}' is no number of 1 to {int.MaxValue}");
    }

    private static string? Text(JsonElement json, string name) =>
        Member(json, name) is not { } value ? null
        : value.ValueKind is JsonValueKind.String && value.GetString() is { Length: > 0 and <= MaxTextLength } text && !text.Any(char.IsControl) ? text
        : throw Malformed($"its '{name}' is no text of 1 to {MaxTextLength} characters");

    // A null is as good as nothing.
    private static JsonElement? Member(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind is not JsonValueKind.Null ? value : null;

    private static AmpException Malformed(string why, Exception? cause = null) =>
        new("ControlMessageMalformed", AmpErrorKind.InvalidData, $"A message of another service cannot be understood: {why}.", cause);
}
