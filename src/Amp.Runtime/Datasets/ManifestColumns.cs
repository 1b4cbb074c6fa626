using System.Text.Encodings.Web;
using System.Text.Json;
using Amp.Parquet;

namespace Amp.Datasets;

/// <summary>The columns that a manifest states for a table, held against those that are extracted.</summary>
internal static class ManifestColumns
{
    /// <summary>The column that manifests of older deployments leave out; files have it all the same.</summary>
    private const string BlockNumber = "_block_num";

    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads <c>fields</c>; refuses them when they are not the table's columns in their order.</summary>
    public static IReadOnlyList<ArrowField> Read(JsonElement fields, TableSchema table, string path, string source)
    {
        var stated = fields.EnumerateArray().Select((field, i) => ReadColumn(field, $"{path}[{i}]", source)).ToList();
        var known = stated.Exists(column => column.Name == BlockNumber)
            ? table.Fields
            : [.. table.Fields.Where(field => field.Name != BlockNumber)];
        var faults = Compare(stated, known).ToList();
        return faults.Count == 0
            ? [.. known]
            : throw new AmpException("ColumnMismatch", AmpErrorKind.InvalidInput, $"{source} states other columns for the table '{table.Name}' than it has: {string.Join("; ", faults)}.")
            {
                Target = table.Name,
                RecommendedAction = "Take the columns that New-AmpDatasetManifest writes.",
            };
    }

    private static IEnumerable<string> Compare(List<Column> stated, IReadOnlyList<ArrowField> known)
    {
        foreach (var twice in stated.GroupBy(column => column.Name).Where(group => group.Count() > 1))
        {
            yield return $"'{twice.Key}' is stated {twice.Count()} times";
        }

        foreach (var column in stated)
        {
            var field = known.FirstOrDefault(field => field.Name == column.Name);
            if (field is null)
            {
                yield return $"'{column.Name}' is not one of its columns";
            }
            else if (column.Type is null || ArrowTypeJson.Describe(column.Type) != ArrowTypeJson.Describe(field.Type) || column.Nullable != field.Nullable)
            {
                yield return $"'{column.Name}' is stated as {column.Spelling}{Null(column.Nullable)}, but is {ArrowTypeJson.Describe(field.Type)}{Null(field.Nullable)}";
            }
        }

        var missing = known.Select(field => field.Name).Except(stated.Select(column => column.Name)).ToList();
        if (missing.Count > 0)
        {
            yield return $"{string.Join(", ", missing.Select(name => $"'{name}'"))} {(missing.Count == 1 ? "is" : "are")} missing";
        }
        else if (stated.Count == known.Count && !stated.Select(column => column.Name).SequenceEqual(known.Select(field => field.Name)))
        {
            yield return $"the order of columns must be {string.Join(", ", known.Select(field => field.Name))}";
        }
    }

    private static Column ReadColumn(JsonElement field, string path, string source)
    {
        ManifestJson.CheckMembers(field, path, source, "name", "type", "nullable");
        var type = ManifestJson.Member(field, path, "type", source);
        return new Column(
            ManifestJson.Text(ManifestJson.Member(field, path, "name", source), $"{path}.name", source),
            ArrowTypeJson.Read(type),
            ManifestJson.Flag(ManifestJson.Member(field, path, "nullable", source), $"{path}.nullable", source),
            JsonSerializer.Serialize(type, Readable));
    }

    private static string Null(bool nullable) => nullable ? " (nullable)" : " (not null)";

    private sealed record Column(string Name, ArrowType? Type, bool Nullable, string Spelling);
}
