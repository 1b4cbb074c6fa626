using Amp.Configuration;
using Amp.MetadataDb;

namespace Amp.Hosting;

/// <summary>The folder of solo mode: <c>config.toml</c>, <c>data</c>, <c>providers</c>, <c>manifests</c> and <c>metadb</c>.</summary>
internal static class AmpDirectory
{
    private const string ConfigFile = "config.toml";

    /// <summary>Makes the folder and what belongs in it, where it is not there, and reads its configuration.</summary>
    public static AmpConfiguration Prepare(string folder)
    {
        var path = Path.Combine(folder, ConfigFile);
        try
        {
            Directory.CreateDirectory(folder);
            if (!File.Exists(path))
            {
                using var writer = File.CreateText(path);
                AmpConfiguration.WriteTemplate(writer);
            }

            var configuration = AmpConfiguration.Load(path);
            Directory.CreateDirectory(configuration.DataDir);
            Directory.CreateDirectory(configuration.ProvidersDir);
            Directory.CreateDirectory(configuration.ManifestsDir);
            return configuration;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AmpException("SoloFolderNotWritable", AmpErrorKind.Denied, $"Solo mode cannot keep its files in '{folder}': {e.Message}", e)
            {
                Target = folder,
                RecommendedAction = "Give another folder with -AmpDir or --amp-dir.",
            };
        }
    }

    /// <summary>Folder of the private database server.</summary>
    public static string DatabaseFolder(AmpConfiguration configuration) =>
        Path.Combine(Path.GetDirectoryName(configuration.Path)!, "metadb");

    /// <summary>Whether solo mode has made a database beside a configuration.</summary>
    public static bool HasDatabase(AmpConfiguration configuration) => Directory.Exists(DatabaseFolder(configuration));
}
