namespace Amp.Configuration;

/// <summary>Writes a configuration file that explains itself.</summary>
internal static class ConfigurationTemplate
{
    public static void Write(TextWriter writer, IReadOnlyDictionary<string, string> values)
    {
        var given = Check(values);
        writer.WriteLine("# Configuration of Amp. A key that is commented out has the value shown, or none where it says example.");
        writer.WriteLine("# Every key can be overridden by an environment variable: metadata_db.url by AMP_CONFIG_METADATA_DB__URL.");
        var table = "";
        foreach (var setting in AmpSettings.All.Where(setting => !setting.IsForeign))
        {
            writer.WriteLine();
            if (setting.Table != table)
            {
                table = setting.Table;
                writer.WriteLine($"[{table}]");
            }

            var isExample = setting.Default is null;
            writer.WriteLine($"# {setting.Doc}");
            writer.WriteLine(given.TryGetValue(setting.Path, out var value)
                ? $"{setting.Name} = {SettingType.Write(value)}"
                : $"# {setting.Name} = {SettingType.Write(setting.Default ?? setting.Example!)}{(isExample ? " # example" : "")}");
        }
    }

    private static Dictionary<string, object> Check(IReadOnlyDictionary<string, string> values)
    {
        var reader = new SettingReader(AmpSettings.All);
        var given = new Dictionary<string, object>(StringComparer.Ordinal);
        foreach (var (key, text) in values)
        {
            if (AmpSettings.All.FirstOrDefault(setting => setting.Path == key && !setting.IsForeign) is not { } setting)
            {
                var nearest = KeySuggestion.Nearest(key, AmpSettings.All.Select(known => known.Path));
                reader.AddFault(key, nearest is null ? "is not a known key" : $"is not a known key; did you mean {nearest}?");
            }
            else if (setting.Type.Read(setting.Type.FromText(text)) is { } value)
            {
                given.Add(key, value);
            }
            else
            {
                reader.AddFault(key, $"must be {setting.Type.Allowed}");
            }
        }

        reader.ThrowIfFaulty("InvalidConfiguration", "to be written", "configuration");
        return given;
    }
}
