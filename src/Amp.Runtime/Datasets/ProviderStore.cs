using System.Text.RegularExpressions;
using Amp.Configuration;

namespace Amp.Datasets;

/// <summary>Provider files in <c>providers_dir</c>: <c>{name}.toml</c>. Files are read each time, so that edits count at once.</summary>
public sealed partial class ProviderStore
{
    private readonly string _folder;
    private readonly IReadOnlyDictionary<string, string> _environment;

    /// <summary>Opens a folder; it need not exist.</summary>
    /// <param name="providersDir">The folder.</param>
    /// <param name="environment">Variables to use for <c>${NAME}</c> instead of the process's own.</param>
    public ProviderStore(string providersDir, IReadOnlyDictionary<string, string>? environment = null)
    {
        _folder = Path.GetFullPath(providersDir);
        _environment = environment ?? AmpConfiguration.ProcessEnvironment();
    }

    /// <summary>Names of all providers, sorted; empty when the folder does not exist.</summary>
    /// <exception cref="AmpException"><c>ProvidersUnreadable</c>.</exception>
    public IReadOnlyList<string> ListNames()
    {
        try
        {
            return Directory.Exists(_folder)
                ? [.. Directory.EnumerateFiles(_folder, "*.toml").Select(file => Path.GetFileNameWithoutExtension(file)!)
                    .Where(name => NameExpression().IsMatch(name)).Order(StringComparer.Ordinal)]
                : [];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(_folder, exception);
        }
    }

    /// <summary>A provider with <c>${NAME}</c>s replaced, ready for use.</summary>
    /// <exception cref="AmpException">
    /// <c>ProviderNotFound</c>, <c>InvalidProviderName</c>, <c>ProvidersUnreadable</c>, <c>InvalidToml</c>, or
    /// <c>InvalidProvider</c>, which lists every fault, a missing variable among them, with line and key.
    /// </exception>
    public Task<ProviderConfig> GetAsync(string name, CancellationToken cancellationToken) =>
        ReadAsync(name, _environment, cancellationToken);

    /// <summary>A provider as its file has it, <c>${NAME}</c>s in place: for showing, changing and saving.</summary>
    /// <exception cref="AmpException">As <see cref="GetAsync"/>.</exception>
    public Task<ProviderConfig> GetStoredAsync(string name, CancellationToken cancellationToken) =>
        ReadAsync(name, environment: null, cancellationToken);

    /// <summary>
    /// All providers for a network, sorted by name and ready for use; empty when there is none. A file that cannot be
    /// read matters only when no other one matches, since nobody can tell what network it is for.
    /// </summary>
    /// <exception cref="AmpException">As <see cref="GetAsync"/>, for a matching provider, or for the only candidate.</exception>
    public async Task<IReadOnlyList<ProviderConfig>> FindForNetworkAsync(string kind, string network, CancellationToken cancellationToken)
    {
        var found = new List<ProviderConfig>();
        AmpException? unreadable = null;
        foreach (var name in ListNames())
        {
            (string Kind, string Network) identity;
            try
            {
                identity = ProviderFile.ReadIdentity(name, PathOf(name), await ReadFileAsync(name, cancellationToken), _environment);
            }
            catch (AmpException exception)
            {
                unreadable ??= exception;
                continue;
            }

            if (identity == (kind, network))
            {
                found.Add(await GetAsync(name, cancellationToken));
            }
        }

        return found.Count > 0 || unreadable is null ? found : throw unreadable;
    }

    /// <summary>Writes a provider's file, readable by its owner alone. <c>${NAME}</c>s are written as they stand.</summary>
    /// <param name="provider">What to write, not resolved.</param>
    /// <param name="overwrite">Whether an existing provider of that name is replaced.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The file's path.</returns>
    /// <exception cref="AmpException">
    /// <c>InvalidProviderName</c>; <c>InvalidProvider</c>; <c>ProviderExists</c>; <c>ProviderResolved</c> for one whose
    /// <c>${NAME}</c>s were replaced, which would write secrets that were kept out of the file;
    /// <c>ProviderNotWritable</c>.
    /// </exception>
    public async Task<string> SaveAsync(ProviderConfig provider, bool overwrite, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(provider);
        var path = PathOf(provider.Name);
        if (provider.IsResolved)
        {
            throw new AmpException("ProviderResolved", AmpErrorKind.InvalidState, $"The provider '{provider.Name}' cannot be saved: its variables were replaced by their values.")
            {
                Target = provider.Name,
                RecommendedAction = "Save the provider as it is stored.",
            };
        }

        var content = ProviderFile.Write(provider);
        ProviderFile.Read(provider.Name, path, content, environment: null);
        if (!overwrite && File.Exists(path))
        {
            throw Exists(provider.Name, path);
        }

        try
        {
            Directory.CreateDirectory(_folder);
            await AtomicFile.WriteAsync(path, content, isPrivate: true, overwrite, cancellationToken);
        }
        catch (IOException exception) when (!overwrite && File.Exists(path))
        {
            throw Exists(provider.Name, path, exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(path, "written", exception);
        }

        return path;
    }

    /// <summary>Removes a provider's file.</summary>
    /// <exception cref="AmpException"><c>InvalidProviderName</c>, <c>ProviderNotFound</c>, <c>ProviderNotWritable</c>.</exception>
    public void Remove(string name)
    {
        var path = PathOf(name);
        if (!File.Exists(path))
        {
            throw NotFound(name);
        }

        try
        {
            File.Delete(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(path, "removed", exception);
        }
    }

    /// <summary>The file of a provider, whether it exists or not.</summary>
    /// <exception cref="AmpException"><c>InvalidProviderName</c>.</exception>
    public string PathOf(string name) => NameExpression().IsMatch(name)
        ? Path.Combine(_folder, name + ".toml")
        : throw new AmpException("InvalidProviderName", AmpErrorKind.InvalidInput, $"'{name}' is not a name for a provider: it must begin with a letter or '_' and have only letters, digits, '_' and '-'.")
        {
            Target = name,
            RecommendedAction = "Choose another name, for example mainnet_rpc.",
        };

    private async Task<ProviderConfig> ReadAsync(
        string name, IReadOnlyDictionary<string, string>? environment, CancellationToken cancellationToken)
    {
        var content = await ReadFileAsync(name, cancellationToken);
        return ProviderFile.Read(name, PathOf(name), content, environment);
    }

    private async Task<byte[]> ReadFileAsync(string name, CancellationToken cancellationToken)
    {
        var path = PathOf(name);
        try
        {
            return await File.ReadAllBytesAsync(path, cancellationToken);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw NotFound(name, exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, exception);
        }
    }

    private AmpException NotFound(string name, Exception? inner = null)
    {
        var names = ListNames();
        var nearest = KeySuggestion.Nearest(name, names);
        return new AmpException("ProviderNotFound", AmpErrorKind.NotFound, $"There is no provider '{name}' in {_folder}{(nearest is null ? "" : $"; did you mean '{nearest}'?")}.", inner)
        {
            Target = name,
            RecommendedAction = names.Count == 0
                ? "Register one: Register-AmpProvider."
                : $"Known providers are {string.Join(", ", names)}. Register another: Register-AmpProvider.",
        };
    }

    private static AmpException Exists(string name, string path, Exception? inner = null) =>
        new("ProviderExists", AmpErrorKind.Conflict, $"There is a provider '{name}' already: {path}.", inner)
        {
            Target = name,
            RecommendedAction = "Choose another name, or replace it: Register-AmpProvider -Force.",
        };

    private static AmpException Unreadable(string path, Exception exception) =>
        new("ProvidersUnreadable", AmpErrorKind.Denied, $"{path} cannot be read: {exception.Message}", exception)
        {
            Target = path,
            RecommendedAction = "Check providers_dir in the configuration and the permissions there.",
        };

    private static AmpException NotWritable(string path, string what, Exception exception) =>
        new("ProviderNotWritable", AmpErrorKind.Denied, $"{path} cannot be {what}: {exception.Message}", exception)
        {
            Target = path,
            RecommendedAction = "Check providers_dir in the configuration, the permissions there and the disk's free space.",
        };

    [GeneratedRegex(@"\A[a-zA-Z_][a-zA-Z0-9_-]*\z")]
    private static partial Regex NameExpression();
}
