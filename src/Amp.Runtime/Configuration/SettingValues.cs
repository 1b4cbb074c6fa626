namespace Amp.Configuration;

/// <summary>Values of settings, read and checked.</summary>
internal sealed class SettingValues
{
    private readonly Dictionary<string, object> _values = new(StringComparer.Ordinal);

    /// <summary>Where each value came from: <c>line 4</c>, or a variable's name.</summary>
    private readonly Dictionary<string, string> _origins = new(StringComparer.Ordinal);

    /// <summary>The value of a setting, or its default.</summary>
    public T? Get<T>(Setting<T> setting) => _values.TryGetValue(setting.Path, out var value) ? (T)value : setting.DefaultValue;

    /// <summary>Whether it was set, and not left to its default.</summary>
    public bool IsSet(Setting setting) => _values.ContainsKey(setting.Path);

    /// <summary>Where a setting was set, for messages.</summary>
    public string Origin(Setting setting) => _origins[setting.Path];

    /// <summary>Sets a value; a later one replaces an earlier one.</summary>
    public void Set(Setting setting, object value, string origin)
    {
        _values[setting.Path] = value;
        _origins[setting.Path] = origin;
    }
}
