using System.Text;
using System.Text.Json;
using Amp.Configuration;
using Amp.Extraction.EvmRpc;
using Amp.Parquet;

namespace Amp.Datasets;

/// <summary>
/// Manifests as JSON. The canonical form is the one that existing deployments store and hash: members in the order
/// <c>kind, network, start_block, finalized_blocks_only, tables</c>, defaults written out, tables in ordinal order of
/// their names, no blanks. The same manifest therefore has the same hash everywhere.
/// </summary>
public static class ManifestJson
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>Reads a manifest and checks it against the tables that Amp extracts.</summary>
    /// <param name="json">UTF-8 JSON in any layout.</param>
    /// <param name="source">What errors call it: a file, <c>the manifest</c>.</param>
    /// <exception cref="AmpException">
    /// <c>InvalidManifest</c> for malformed JSON, missing, unknown or wrong members; <c>UnknownDatasetKind</c>;
    /// <c>UnknownTable</c>; <c>ColumnMismatch</c>, naming each column that differs with both types.
    /// </exception>
    public static RawManifest Parse(ReadOnlyMemory<byte> json, string source) => Parse(json, source, checkColumns: true);

    /// <summary>
    /// Reads a manifest that was registered before, maybe by an older deployment: its columns are not looked at,
    /// since files have the columns of <see cref="EvmTables"/> whatever it states. Writing what this returns does
    /// not yield the bytes that were read.
    /// </summary>
    internal static RawManifest ParseRegistered(ReadOnlyMemory<byte> json, string source) => Parse(json, source, checkColumns: false);

    private static RawManifest Parse(ReadOnlyMemory<byte> json, string source, bool checkColumns)
    {
        try
        {
            // Editors and older shells begin UTF-8 files with a byte order mark.
            json = json.Span.StartsWith(Encoding.UTF8.Preamble) ? json[Encoding.UTF8.Preamble.Length..] : json;
            using var document = JsonDocument.Parse(json, Strict);
            return Read(document.RootElement, source, checkColumns);
        }
        catch (JsonException exception)
        {
            throw Invalid(source, $"it is not JSON: {exception.Message}", exception);
        }
        catch (InvalidOperationException exception)
        {
            // Text with half a surrogate pair.
            throw Invalid(source, $"it holds text that is not Unicode: {exception.Message}", exception);
        }
    }

    /// <summary>A manifest's canonical JSON.</summary>
    public static byte[] Write(RawManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var json = new CanonicalJsonWriter();
        json.Raw("{\"kind\":").Text(manifest.Kind)
            .Raw(",\"network\":").Text(manifest.Network)
            .Raw(",\"start_block\":").Number(manifest.StartBlock)
            .Raw(",\"finalized_blocks_only\":").Boolean(manifest.FinalizedBlocksOnly)
            .Raw(",\"tables\":{");
        var separator = "";
        foreach (var table in manifest.Tables.OrderBy(table => table.Name, StringComparer.Ordinal))
        {
            json.Raw(separator).Text(table.Name).Raw(":{\"schema\":{\"arrow\":{\"fields\":[");
            WriteFields(json, table.Fields);
            json.Raw("]}},\"network\":").Text(table.Network).Raw("}");
            separator = ",";
        }

        return json.Raw("}}").ToUtf8();
    }

    /// <summary>The canonical form of a manifest's JSON: <see cref="Parse(ReadOnlyMemory{byte}, string)"/>, then <see cref="Write"/>.</summary>
    /// <exception cref="AmpException">As <see cref="Parse(ReadOnlyMemory{byte}, string)"/>.</exception>
    public static byte[] Canonicalize(ReadOnlyMemory<byte> json, string source) => Write(Parse(json, source));

    private static void WriteFields(CanonicalJsonWriter json, IReadOnlyList<ArrowField> fields)
    {
        for (var i = 0; i < fields.Count; i++)
        {
            json.Raw(i == 0 ? "{\"name\":" : ",{\"name\":").Text(fields[i].Name).Raw(",\"type\":");
            ArrowTypeJson.Write(json, fields[i].Type);
            json.Raw(",\"nullable\":").Boolean(fields[i].Nullable).Raw("}");
        }
    }

    private static RawManifest Read(JsonElement root, string source, bool checkColumns)
    {
        var kind = Text(Member(root, "", "kind", source), "kind", source);
        if (kind != RawManifest.EvmRpcKind)
        {
            throw new AmpException("UnknownDatasetKind", AmpErrorKind.InvalidInput, $"{source} is of the kind '{kind}', which Amp does not extract.")
            {
                Target = kind,
                RecommendedAction = $"The kind must be {RawManifest.EvmRpcKind}.",
            };
        }

        CheckMembers(root, "", source, "kind", "network", "start_block", "finalized_blocks_only", "tables", "$schema");
        var network = Text(Member(root, "", "network", source), "network", source);
        var tables = Member(root, "", "tables", source);
        if (tables.ValueKind != JsonValueKind.Object || tables.GetPropertyCount() == 0)
        {
            throw Invalid(source, "tables must be an object with at least one table");
        }

        return new RawManifest
        {
            Kind = kind,
            Network = network,
            StartBlock = root.TryGetProperty("start_block", out var start) ? BlockNumber(start, source) : 0,
            FinalizedBlocksOnly = root.TryGetProperty("finalized_blocks_only", out var finalized) && Flag(finalized, "finalized_blocks_only", source),
            Tables = [.. tables.EnumerateObject().Select(table => ReadTable(table, network, source, checkColumns)).OrderBy(table => table.Name, StringComparer.Ordinal)],
        };
    }

    private static RawManifestTable ReadTable(JsonProperty property, string network, string source, bool checkColumns)
    {
        var path = $"tables.{property.Name}";
        if (EvmTables.All.FirstOrDefault(table => table.Name == property.Name) is not { } known)
        {
            throw EvmRpcManifest.UnknownTable(source, property.Name);
        }

        CheckMembers(property.Value, path, source, "schema", "network");
        var tableNetwork = Text(Member(property.Value, path, "network", source), $"{path}.network", source);
        if (tableNetwork != network)
        {
            throw Invalid(source, $"{path}.network is '{tableNetwork}', but the dataset's network is '{network}'");
        }

        var schema = Member(property.Value, path, "schema", source);
        CheckMembers(schema, $"{path}.schema", source, "arrow");
        var arrow = Member(schema, $"{path}.schema", "arrow", source);
        CheckMembers(arrow, $"{path}.schema.arrow", source, "fields");
        var fields = Member(arrow, $"{path}.schema.arrow", "fields", source);
        if (fields.ValueKind != JsonValueKind.Array)
        {
            throw Invalid(source, $"{path}.schema.arrow.fields must be an array");
        }

        return new RawManifestTable
        {
            Name = known.Name,
            Network = tableNetwork,
            Fields = checkColumns ? ManifestColumns.Read(fields, known, $"{path}.schema.arrow.fields", source) : known.Fields,
        };
    }

    /// <summary>Refuses members that nobody would read: most often a mistyped name.</summary>
    internal static void CheckMembers(JsonElement json, string path, string source, params string[] known)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw Invalid(source, $"{(path.Length == 0 ? "it" : path)} must be an object");
        }

        foreach (var member in json.EnumerateObject())
        {
            if (!known.Contains(member.Name, StringComparer.Ordinal))
            {
                var hint = KeySuggestion.Nearest(member.Name, known) is { } nearest ? $"; did you mean {nearest}?" : "";
                throw Invalid(source, $"'{Join(path, member.Name)}' is not a known member{hint}");
            }
        }
    }

    internal static JsonElement Member(JsonElement json, string path, string name, string source) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value)
            ? value
            : throw Invalid(source, $"'{Join(path, name)}' is missing");

    internal static string Text(JsonElement json, string path, string source) =>
        json.ValueKind == JsonValueKind.String && json.GetString() is { Length: > 0 } text
            ? text
            : throw Invalid(source, $"{path} must be text");

    internal static bool Flag(JsonElement json, string path, string source) =>
        json.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? json.GetBoolean()
            : throw Invalid(source, $"{path} must be true or false");

    internal static AmpException Invalid(string source, string fault, Exception? inner = null) =>
        new("InvalidManifest", AmpErrorKind.InvalidInput, $"{source} is not a manifest that can be used: {fault}.", inner)
        {
            Target = source,
            RecommendedAction = "Correct it, or make a new one: New-AmpDatasetManifest.",
        };

    private static ulong BlockNumber(JsonElement json, string source) =>
        json.ValueKind == JsonValueKind.Number && json.TryGetUInt64(out var number)
            ? number
            : throw Invalid(source, "start_block must be a block number: 0 or more");

    private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";
}
