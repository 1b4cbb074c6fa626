using System.Text;
using Amp.Configuration;

namespace Amp.Datasets;

/// <summary>Provider files: reading, replacing <c>${NAME}</c>, writing.</summary>
internal static class ProviderFile
{
    /// <summary>Reads a provider.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="path">Its file, for errors.</param>
    /// <param name="utf8">The file's content.</param>
    /// <param name="environment">Variables to put in for <c>${NAME}</c>; null to keep these as they stand.</param>
    /// <exception cref="AmpException"><c>InvalidToml</c>, or <c>InvalidProvider</c>, which lists every fault with line and key.</exception>
    public static ProviderConfig Read(
        string name, string path, ReadOnlySpan<byte> utf8, IReadOnlyDictionary<string, string>? environment)
    {
        var document = TomlDocument.Parse(utf8, path);
        var reader = new SettingReader(ProviderSettings.All);
        var isResolved = false;
        if (environment is not null)
        {
            var resolved = new TomlTable(document.Line, document.Origin);
            foreach (var entry in document.Entries)
            {
                var value = EnvironmentReferences.Replace(
                    entry.Value, environment, fault => reader.AddFault(SettingReader.AtLine(entry.KeyLine), $"{entry.Key} {fault}"));
                isResolved |= value != entry.Value;
                resolved.Add(entry with { Value = value });
            }

            document = resolved;
        }

        reader.Read(document);
        var values = reader.Values;
        foreach (var required in (Setting[])[ProviderSettings.Kind, ProviderSettings.Network, ProviderSettings.Url])
        {
            if (!document.TryGet(required.Path, out _))
            {
                reader.AddFault(SettingReader.AtLine(1), $"{required.Path} is missing; it must be {required.Type.Allowed}");
            }
        }

        reader.ThrowIfFaulty("InvalidProvider", path, $"provider '{name}',");
        return new ProviderConfig
        {
            Name = name,
            Kind = values.Get(ProviderSettings.Kind)!,
            Network = values.Get(ProviderSettings.Network)!,
            Url = values.Get(ProviderSettings.Url)!,
            AuthHeader = values.Get(ProviderSettings.AuthHeader),
            AuthToken = values.Get(ProviderSettings.AuthToken),
            ConcurrentRequestLimit = (int)values.Get(ProviderSettings.ConcurrentRequestLimit),
            RpcBatchSize = (int)values.Get(ProviderSettings.RpcBatchSize),
            RateLimitPerMinute = values.IsSet(ProviderSettings.RateLimitPerMinute) ? (int)values.Get(ProviderSettings.RateLimitPerMinute) : null,
            FetchReceiptsPerTx = values.Get(ProviderSettings.FetchReceiptsPerTx),
            Timeout = values.Get(ProviderSettings.Timeout),
            IsResolved = isResolved,
        };
    }

    /// <summary>
    /// Kind and network alone, <c>${NAME}</c>s replaced, whatever else the file holds: files of other programs'
    /// kinds are left alone.
    /// </summary>
    /// <exception cref="AmpException"><c>InvalidToml</c>, or <c>InvalidProvider</c> when one of the two cannot be told.</exception>
    public static (string Kind, string Network) ReadIdentity(
        string name, string path, ReadOnlySpan<byte> utf8, IReadOnlyDictionary<string, string> environment)
    {
        var document = TomlDocument.Parse(utf8, path);
        var reader = new SettingReader([]);
        var identity = (Read("kind"), Read("network"));
        reader.ThrowIfFaulty("InvalidProvider", path, $"provider '{name}',");
        return identity;

        string Read(string key)
        {
            var line = document.TryGet(key, out var entry) ? entry.KeyLine : 1;
            var value = entry.Value is null
                ? null
                : EnvironmentReferences.Replace(entry.Value, environment, fault => reader.AddFault(SettingReader.AtLine(line), $"{key} {fault}"));
            if (value is not TomlString text)
            {
                reader.AddFault(SettingReader.AtLine(line), value is null ? $"{key} is missing" : $"{key} is {value.Description}, but must be text");
                return "";
            }

            return text.Value;
        }
    }

    /// <summary>The content of a provider's file: what was chosen, defaults left out.</summary>
    public static byte[] Write(ProviderConfig provider)
    {
        var text = new StringBuilder();
        Append(ProviderSettings.Kind, provider.Kind);
        Append(ProviderSettings.Network, provider.Network);
        Append(ProviderSettings.Url, provider.Url);
        Append(ProviderSettings.AuthHeader, provider.AuthHeader);
        Append(ProviderSettings.AuthToken, provider.AuthToken);
        Append(ProviderSettings.ConcurrentRequestLimit, (long)provider.ConcurrentRequestLimit);
        Append(ProviderSettings.RpcBatchSize, (long)provider.RpcBatchSize);
        Append(ProviderSettings.RateLimitPerMinute, (long?)provider.RateLimitPerMinute);
        Append(ProviderSettings.FetchReceiptsPerTx, provider.FetchReceiptsPerTx);
        Append(ProviderSettings.Timeout, provider.Timeout);
        return Encoding.UTF8.GetBytes(text.ToString());

        void Append(Setting setting, object? value)
        {
            if (value is not null && !value.Equals(setting.Default))
            {
                text.Append(setting.Path).Append(" = ").Append(SettingType.Write(value)).Append('\n');
            }
        }
    }
}
