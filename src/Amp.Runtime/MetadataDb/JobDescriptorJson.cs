using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Amp.MetadataDb;

/// <summary>The descriptor of a job as it is stored: the <c>detail</c> of its SCHEDULED event.</summary>
internal static class JobDescriptorJson
{
    /// <summary>
    /// Writes a descriptor. The end block is a string or null: ampd reads nothing else. What ampd does not know is written only when it
    /// is used.
    /// </summary>
    public static string Write(AmpJobDescriptor descriptor)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("kind", descriptor.Kind);
            json.WriteString("end_block", descriptor.EndBlock);
            json.WriteNumber("max_writers", descriptor.MaxWriters);
            json.WriteString("dataset_namespace", descriptor.DatasetNamespace);
            json.WriteString("dataset_name", descriptor.DatasetName);
            json.WriteString("manifest_hash", descriptor.ManifestHash);
            json.WriteBoolean("verify", descriptor.Verify);
            if (descriptor.Workers > 1)
            {
                json.WriteNumber("workers", descriptor.Workers);
            }

            if (descriptor.WorkerPattern is not null)
            {
                json.WriteString("worker_pattern", descriptor.WorkerPattern);
            }

            if (descriptor is { PartOf: { } whole, StartBlock: { } start })
            {
                json.WriteNumber("part_of", whole);
                json.WriteNumber("start_block", start);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    /// <summary>Reads a descriptor; false, with the reason, when it is missing or cannot be used.</summary>
    public static bool TryRead(
        string? json, [NotNullWhen(true)] out AmpJobDescriptor? descriptor, [NotNullWhen(false)] out string? reason)
    {
        descriptor = null;
        reason = null;
        if (json is null)
        {
            reason = "it has none";
            return false;
        }

        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            descriptor = new AmpJobDescriptor
            {
                Kind = RequiredText(root, "kind"),
                EndBlock = ReadEndBlock(root),
                MaxWriters = root.TryGetProperty("max_writers", out var writers) ? writers.GetUInt16() : 1,
                DatasetNamespace = RequiredText(root, "dataset_namespace"),
                DatasetName = RequiredText(root, "dataset_name"),
                ManifestHash = RequiredText(root, "manifest_hash"),
                Verify = root.TryGetProperty("verify", out var verify) && verify.GetBoolean(),
                Workers = root.TryGetProperty("workers", out var workers) ? workers.GetUInt16() : 1,
                WorkerPattern = root.TryGetProperty("worker_pattern", out var pattern) ? pattern.GetString() : null,
                PartOf = root.TryGetProperty("part_of", out var whole) ? whole.GetInt64() : null,
                StartBlock = root.TryGetProperty("start_block", out var start) ? start.GetUInt64() : null,
            };
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            reason = e.Message;
            return false;
        }
    }

    private static string RequiredText(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.GetString() is { Length: > 0 } text
            ? text
            : throw new FormatException($"'{name}' is missing or empty");

    private static string? ReadEndBlock(JsonElement root)
    {
        if (!root.TryGetProperty("end_block", out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        var text = value.ValueKind == JsonValueKind.Number
            ? value.GetInt64().ToString(CultureInfo.InvariantCulture)
            : value.GetString()!;
        return text == "latest" || long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)
            ? text
            : throw new FormatException($"'end_block' is '{text}', not a number or 'latest'");
    }
}
