using System.Diagnostics.CodeAnalysis;

namespace Amp.Configuration;

/// <summary>
/// Reads a TOML document, and variables of the environment, by a list of settings. Collects every fault before it
/// refuses, so that a user sees all of them at once.
/// </summary>
internal sealed class SettingReader(IReadOnlyList<Setting> settings)
{
    private readonly Dictionary<string, Setting> _byPath = settings.ToDictionary(setting => setting.Path, StringComparer.Ordinal);
    private readonly List<string> _faults = [];

    /// <summary>The values read so far.</summary>
    public SettingValues Values { get; } = new();

    /// <summary>Keys in the document that belong to other programs.</summary>
    public List<string> ForeignKeys { get; } = [];

    /// <summary>Notes a fault: where, and what is wrong.</summary>
    public void AddFault(string origin, string fault) => _faults.Add($"{origin}: {fault}");

    /// <summary>Reads all keys of a document.</summary>
    public void Read(TomlTable document) => ReadTable(document, prefix: "");

    /// <summary>
    /// Reads variables <c>{prefix}{KEY}</c>, where levels are separated by <c>__</c>, or by <c>_</c> where that
    /// leaves no doubt. Empty variables count as not set.
    /// </summary>
    public void ReadEnvironment(IReadOnlyDictionary<string, string> environment, string prefix)
    {
        var set = new Dictionary<string, (string Variable, string Text)>(StringComparer.Ordinal);
        foreach (var (variable, text) in environment.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (text.Length == 0 || !variable.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            if (!TryFindByVariable(variable[prefix.Length..], out var setting, out var nearest))
            {
                AddFault(variable, $"names no known key{DidYouMean(nearest is null ? null : VariableName(prefix, nearest))}");
            }
            else if (set.TryGetValue(setting.Path, out var other) && other.Text != text)
            {
                AddFault(variable, $"sets {setting.Path}, and so does {other.Variable}, to another value; keep one of them");
            }
            else if (!setting.IsForeign)
            {
                set[setting.Path] = (variable, text);
                ReadVariable(setting, variable, text);
            }
        }
    }

    /// <summary>Reads the value of one setting from one variable.</summary>
    public void ReadVariable(Setting setting, string variable, string text) =>
        Store(setting, setting.Type.FromText(text), variable, isText: true);

    /// <summary>Throws when there were faults.</summary>
    /// <param name="errorCode">Code of the error.</param>
    /// <param name="source">What was read: the file.</param>
    /// <param name="what">What it is: <c>configuration</c>.</param>
    public void ThrowIfFaulty(string errorCode, string source, string what)
    {
        if (_faults.Count == 0)
        {
            return;
        }

        var count = _faults.Count == 1 ? "1 fault" : $"{_faults.Count} faults";
        var list = string.Concat(_faults.Select(fault => $"{Environment.NewLine}  {fault}"));
        throw new AmpException(errorCode, AmpErrorKind.InvalidInput, $"The {what} {source} cannot be used ({count}):{list}")
        {
            Target = source,
            RecommendedAction = _faults.Count == 1 ? "Correct it and try again." : "Correct them and try again.",
        };
    }

    /// <summary>Where a key in the document stands.</summary>
    public static string AtLine(int line) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"line {line}");

    private void ReadTable(TomlTable table, string prefix)
    {
        foreach (var entry in table.Entries)
        {
            var path = prefix + entry.Key;
            if (_byPath.TryGetValue(path, out var setting))
            {
                if (setting.IsForeign)
                {
                    ForeignKeys.Add(path);
                }
                else
                {
                    Store(setting, entry.Value, AtLine(entry.KeyLine), isText: false);
                }
            }
            else if (!_byPath.Keys.Any(known => known.StartsWith(path + ".", StringComparison.Ordinal)))
            {
                AddFault(AtLine(entry.KeyLine), $"{path} is not a known key{DidYouMean(KeySuggestion.Nearest(path, KnownPaths()))}");
            }
            else if (entry.Value is TomlTable child)
            {
                ReadTable(child, path + ".");
            }
            else
            {
                AddFault(AtLine(entry.KeyLine), $"{path} is {entry.Value.Description}, but must be a table: [{path}]");
            }
        }
    }

    private void Store(Setting setting, TomlValue value, string origin, bool isText)
    {
        if (setting.Type.Read(value) is { } read)
        {
            Values.Set(setting, read, origin);
            return;
        }

        var key = isText ? $"the value of {setting.Path}" : setting.Path;
        AddFault(origin, $"{key} is {Describe(setting, value)}, but must be {setting.Type.Allowed}");
    }

    /// <summary>What was found. Values are shown only where they cannot hold a secret.</summary>
    private static string Describe(Setting setting, TomlValue value)
    {
        var isHarmless = !setting.Type.HoldsSecret;
        return value switch
        {
            TomlInteger integer when isHarmless => SettingType.Write(integer.Value),
            TomlFloat number when isHarmless => SettingType.Write(number.Value),
            TomlBoolean flag when isHarmless => SettingType.Write(flag.Value),
            TomlString { Value.Length: 0 } => "empty text",
            TomlString { Value.Length: <= 80 } text when isHarmless => $"the text {SettingType.Quote(text.Value)}",
            _ => value.Description,
        };
    }

    private bool TryFindByVariable(string name, [NotNullWhen(true)] out Setting? setting, out string? nearest)
    {
        nearest = null;
        var path = name.ToLowerInvariant().Replace("__", ".", StringComparison.Ordinal);
        if (_byPath.TryGetValue(path, out setting))
        {
            return true;
        }

        var flat = path.Replace('.', '_');
        setting = settings.FirstOrDefault(known => known.Path.Replace('.', '_') == flat);
        if (setting is null)
        {
            nearest = KeySuggestion.Nearest(flat, KnownPaths().ToDictionary(known => known.Replace('.', '_')));
        }

        return setting is not null;
    }

    private IEnumerable<string> KnownPaths() => settings.Where(setting => !setting.IsForeign).Select(setting => setting.Path);

    private static string VariableName(string prefix, string path) =>
        prefix + path.ToUpperInvariant().Replace(".", "__", StringComparison.Ordinal);

    private static string DidYouMean(string? nearest) => nearest is null ? "" : $"; did you mean {nearest}?";
}
