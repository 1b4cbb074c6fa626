namespace Amp.Configuration;

/// <summary>A key of a configuration file: everything that is known about it.</summary>
/// <param name="Path">Its name with dots, such as <c>metadata_db.pool_size</c>.</param>
/// <param name="Type">What its value may be.</param>
/// <param name="Default">The value when it is not set; null when there is none.</param>
/// <param name="Doc">What it does, in a sentence or two, for the template.</param>
/// <param name="Example">A value to show in the template when there is no default.</param>
internal record Setting(string Path, SettingType Type, object? Default, string Doc, object? Example = null)
{
    /// <summary>Whether the key belongs to another program that reads the same file; accepted and not used.</summary>
    public bool IsForeign => Type == SettingType.Foreign;

    /// <summary>Names of the tables around it: <c>metadata_db</c>; empty at the top level.</summary>
    public string Table => Path.Contains('.', StringComparison.Ordinal) ? Path[..Path.LastIndexOf('.')] : "";

    /// <summary>Its name within its table.</summary>
    public string Name => Path[(Path.LastIndexOf('.') + 1)..];
}

/// <summary>A key whose value is a <typeparamref name="T"/>.</summary>
internal sealed record Setting<T>(string Path, SettingType Type, T? DefaultValue, string Doc, object? Example = null)
    : Setting(Path, Type, DefaultValue, Doc, Example);
