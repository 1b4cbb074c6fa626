using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Amp.Datasets;

/// <summary>How a <see cref="DatasetReference"/> names a version.</summary>
public enum DatasetVersionKind
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>By a semantic version, such as <c>1.2.0</c>.</summary>
    Semantic,

    /// <summary>As <c>latest</c>: the highest semantic version.</summary>
    Latest,

    /// <summary>As <c>dev</c>: whatever was registered last.</summary>
    Dev,

    /// <summary>By the manifest's hash, 64 hex digits.</summary>
    Hash,
}

/// <summary>A dataset by name, and maybe a version of it: <c>namespace/name[@version]</c>.</summary>
public sealed partial record DatasetReference
{
    private const string Rule =
        "namespace/name or namespace/name@version: the namespace of a-z, 0-9 and '_'; the name of the same, not beginning with a digit; "
        + "the version semantic (1.0.0), latest, dev, or a manifest hash of 64 hex digits";

    private DatasetReference(string @namespace, string name, string? version, DatasetVersionKind versionKind)
    {
        Namespace = @namespace;
        Name = name;
        Version = version;
        VersionKind = versionKind;
    }

    /// <summary>Namespace, such as <c>ethereum</c>.</summary>
    public string Namespace { get; }

    /// <summary>Name, such as <c>mainnet</c>.</summary>
    public string Name { get; }

    /// <summary>The version as given, a hash in lower case; null without one.</summary>
    public string? Version { get; }

    /// <summary>What <see cref="Version"/> is.</summary>
    public DatasetVersionKind VersionKind { get; }

    /// <summary><c>namespace/name</c>.</summary>
    public string Dataset => $"{Namespace}/{Name}";

    /// <summary>Reads a reference, also one that begins with <c>pkg:amp/</c>.</summary>
    /// <exception cref="AmpException"><c>InvalidDatasetReference</c>.</exception>
    public static DatasetReference Parse(string text) => TryParse(text, out var reference)
        ? reference
        : throw new AmpException("InvalidDatasetReference", AmpErrorKind.InvalidInput, $"'{text}' does not name a dataset: it must be {Rule}.")
        {
            Target = text,
            RecommendedAction = "Write it like ethereum/mainnet or ethereum/mainnet@1.0.0.",
        };

    /// <summary>Reads a reference; false when the text is none.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out DatasetReference? reference)
    {
        reference = null;
        var match = Expression().Match(text ?? "");
        if (!match.Success)
        {
            return false;
        }

        var version = match.Groups[3].Success ? match.Groups[3].Value : null;
        var kind = KindOf(version);
        if (kind is null)
        {
            return false;
        }

        reference = new DatasetReference(
            match.Groups[1].Value, match.Groups[2].Value, kind == DatasetVersionKind.Hash ? version!.ToLowerInvariant() : version, kind.Value);
        return true;
    }

    /// <summary>The same dataset in another version.</summary>
    /// <exception cref="AmpException"><c>InvalidDatasetReference</c>.</exception>
    public DatasetReference WithVersion(string version) => Parse($"{Dataset}@{version}");

    /// <summary>The reference as <see cref="Parse"/> reads it.</summary>
    public override string ToString() => Version is null ? Dataset : $"{Dataset}@{Version}";

    private static DatasetVersionKind? KindOf(string? version) => version switch
    {
        null => DatasetVersionKind.None,
        "latest" => DatasetVersionKind.Latest,
        "dev" => DatasetVersionKind.Dev,
        { Length: 64 } when version.All(char.IsAsciiHexDigit) => DatasetVersionKind.Hash,
        _ => SemanticVersion.TryParse(version, out _) ? DatasetVersionKind.Semantic : null,
    };

    [GeneratedRegex(@"\A(?:pkg:amp/)?([a-z0-9_]+)/([a-z_][a-z0-9_]*)(?:@(.+))?\z")]
    private static partial Regex Expression();
}
