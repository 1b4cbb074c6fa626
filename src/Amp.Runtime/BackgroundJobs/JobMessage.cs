using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Amp.BackgroundJobs;

/// <summary>A message of the work topic: brings a job to the workers. Others may write such messages too, of jobs that the queue does not have yet.</summary>
/// <param name="Id">The job; of a message whose id is no UUID, one that is always the same for it.</param>
/// <param name="Type">What to do.</param>
/// <param name="TenantId">Whose it is; of an account that is no UUID, one that is always the same for it.</param>
/// <param name="AccountId">The account as it was written.</param>
/// <param name="Priority">As <c>data</c> says it, within bounds.</param>
/// <param name="Data">A JSON object, for the handler.</param>
internal sealed record JobMessage(Guid Id, string Type, Guid TenantId, string AccountId, short Priority, string Data)
{
    /// <summary>The header of messages whose job is in the queue: its number.</summary>
    public const string QueuedHeader = "amp-queued";

    private const int MaxNameLength = 256;

    /// <summary>The message of a job.</summary>
    public static string Write(JobRow job)
    {
        using var buffer = new MemoryStream(256 + job.Payload.Length);
        using (var json = new Utf8JsonWriter(buffer))
        {
            var tenant = job.TenantId.ToString();
            json.WriteStartObject();
            json.WriteString("id", job.Id);
            json.WriteString("type", job.Type);
            json.WriteString("account_id", tenant);
            json.WriteString("campaign_id", CampaignOf(job.Payload) ?? tenant);
            json.WritePropertyName("data");
            json.WriteRawValue(job.Payload);
            json.WriteString("timestamp", job.CreatedAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
    }

    /// <summary>Reads a message; members that are not known are left out.</summary>
    /// <exception cref="AmpException"><c>JobMessageMalformed</c>: it says what is wrong.</exception>
    public static JobMessage Read(ReadOnlyMemory<byte> message)
    {
        try
        {
            using var document = JsonDocument.Parse(message);
            var root = document.RootElement;
            if (root.ValueKind is not JsonValueKind.Object)
            {
                throw Malformed($"it is a JSON {root.ValueKind}, not an object");
            }

            var account = Text(root, "account_id");
            if (!root.TryGetProperty("data", out var data) || data.ValueKind is not JsonValueKind.Object)
            {
                throw Malformed("it has no object 'data'");
            }

            return new JobMessage(IdOf(Text(root, "id")), Text(root, "type"), IdOf(account), account, PriorityOf(data), data.GetRawText());
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The latter tells of text that is no Unicode.
            throw Malformed($"it is not JSON: {e.Message.TrimEnd('.')}", e);
        }
    }

    /// <summary>The job to queue for a message that another producer wrote: keyed by its account, as that producer meant it.</summary>
    public JobSubmission ToSubmission() => new(TenantId, Type, Data)
    {
        Id = Id,
        Key = AccountId,
        Priority = Priority,
    };

    /// <summary>A UUID as it is; of any other text, one that is made of its hash.</summary>
    private static Guid IdOf(string text)
    {
        if (Guid.TryParse(text, out var id))
        {
            return id;
        }

        var bytes = SHA256.HashData(Encoding.UTF8.GetBytes(text))[..16];
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    private static string Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String && value.GetString() is { Length: > 0 and <= MaxNameLength } text && !text.Contains('\0', StringComparison.Ordinal)
            ? text
            : throw Malformed($"it has no text '{name}' of 1 to {MaxNameLength} characters");

    private static string? CampaignOf(string payload)
    {
        if (!payload.Contains("campaign_id", StringComparison.Ordinal))
        {
            return null;
        }

        using var document = JsonDocument.Parse(payload);
        return document.RootElement.TryGetProperty("campaign_id", out var campaign) && campaign.ValueKind is JsonValueKind.String ? campaign.GetString() : null;
    }

    private static short PriorityOf(JsonElement data) =>
        data.TryGetProperty("priority", out var priority) && priority.ValueKind is JsonValueKind.Number && priority.TryGetInt16(out var value)
            ? Math.Clamp(value, JobSubmission.LowestPriority, JobSubmission.HighestPriority)
            : JobSubmission.LowestPriority;

    private static AmpException Malformed(string why, Exception? cause = null) =>
        new("JobMessageMalformed", AmpErrorKind.InvalidData, $"A message is no job: {why}.", cause);
}
