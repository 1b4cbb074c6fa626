using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Amp.MetadataDb;

/// <summary>The programs of a PostgreSQL server on this machine.</summary>
/// <param name="Folder">Where <c>initdb</c>, <c>pg_ctl</c> and <c>postgres</c> are.</param>
/// <param name="Major">Major version, such as 17.</param>
internal sealed partial record PostgresBinaries(string Folder, int Major)
{
    /// <summary>Environment variable that names the folder, before all other places.</summary>
    public const string FolderVariable = "AMP_POSTGRES_BIN";

    private const int OldestMajor = 13;

    private static readonly string Suffix = OperatingSystem.IsWindows() ? ".exe" : "";

    public string InitDb => Path.Combine(Folder, "initdb" + Suffix);

    public string PgCtl => Path.Combine(Folder, "pg_ctl" + Suffix);

    /// <summary>Finds the programs for a cluster of the given major version, or the newest ones for a new cluster.</summary>
    /// <exception cref="AmpException"><c>PostgresBinariesNotFound</c>.</exception>
    public static async Task<PostgresBinaries> FindAsync(int? major, CancellationToken cancellationToken)
    {
        PostgresBinaries? newest = null;
        foreach (var folder in Candidates().Distinct().Where(IsServerFolder))
        {
            var version = await VersionAsync(folder, cancellationToken);
            if (version >= OldestMajor && (major is null || version == major) && version > (newest?.Major ?? 0))
            {
                newest = new PostgresBinaries(folder, version);
            }
        }

        return newest ?? throw new AmpException("PostgresBinariesNotFound", AmpErrorKind.NotFound,
            major is null
                ? $"No PostgreSQL server programs (initdb, pg_ctl, postgres; version {OldestMajor} or newer) were found on this machine."
                : $"The private database was made by PostgreSQL {major}, whose server programs are not on this machine any more.")
        {
            RecommendedAction = OperatingSystem.IsWindows()
                    ? $"Install PostgreSQL (winget install PostgreSQL.PostgreSQL.17), set {FolderVariable} to its bin folder, or give metadata_db.url."
                    : OperatingSystem.IsMacOS()
                        ? $"Install PostgreSQL (brew install postgresql@17), set {FolderVariable} to its bin folder, or give metadata_db.url."
                        : $"Install PostgreSQL (apt-get install postgresql, dnf install postgresql-server), set {FolderVariable} to its bin folder, or give metadata_db.url.",
        };
    }

    private static IEnumerable<string> Candidates()
    {
        if (Environment.GetEnvironmentVariable(FolderVariable) is { Length: > 0 } configured)
        {
            return [configured];
        }

        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return path
            .Concat(Subfolders("/usr/lib/postgresql", "*"))
            .Concat(Subfolders("/usr", "pgsql-*"))
            .Concat(Subfolders("/opt/homebrew/opt", "postgresql*"))
            .Concat(Subfolders("/usr/local/opt", "postgresql*"))
            .Concat(Subfolders("/Applications/Postgres.app/Contents/Versions", "*"))
            .Concat(Subfolders(Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "PostgreSQL"), "*"));
    }

    private static IEnumerable<string> Subfolders(string parent, string pattern) =>
        Directory.Exists(parent)
            ? Directory.EnumerateDirectories(parent, pattern).Select(folder => Path.Combine(folder, "bin"))
            : [];

    private static bool IsServerFolder(string folder) =>
        new[] { "initdb", "pg_ctl", "postgres" }.All(program => File.Exists(Path.Combine(folder, program + Suffix)));

    private static async Task<int> VersionAsync(string folder, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(Path.Combine(folder, "pg_ctl" + Suffix), "--version") { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        return Version().Match(output) is { Success: true } match ? int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : 0;
    }

    [GeneratedRegex(@"\(PostgreSQL\) (\d+)")]
    private static partial Regex Version();
}
