using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Amp.MetadataDb;

/// <summary>
/// The account that runs the private server. PostgreSQL refuses to run as root: then it runs as <c>postgres</c>, where that
/// exists, or <c>nobody</c>.
/// </summary>
internal sealed partial class ServerAccount
{
    private readonly string[] _prefix;

    private ServerAccount(string[] prefix, int? userId, int? groupId)
    {
        _prefix = prefix;
        UserId = userId;
        GroupId = groupId;
    }

    /// <summary>The account's number; null when the server runs as ourselves.</summary>
    public int? UserId { get; }

    private int? GroupId { get; }

    /// <summary>Whether the server runs as somebody else.</summary>
    public bool IsOther => UserId is not null;

    /// <summary>Chooses the account for this process.</summary>
    /// <exception cref="AmpException"><c>PostgresNeedsUser</c> when we are root and cannot become anybody else.</exception>
    public static ServerAccount Choose()
    {
        if (OperatingSystem.IsWindows() || GetEffectiveUserId() != 0)
        {
            return new ServerAccount([], null, null);
        }

        var account = FindAccount("postgres") ?? FindAccount("nobody");
        if (account is var (name, user, group))
        {
            if (FindProgram("setpriv") is { } setpriv)
            {
                return new ServerAccount([setpriv, $"--reuid={user}", $"--regid={group}", "--clear-groups", "--"], user, group);
            }

            if (FindProgram("runuser") is { } runuser)
            {
                return new ServerAccount([runuser, "-u", name, "--"], user, group);
            }
        }

        throw new AmpException("PostgresNeedsUser", AmpErrorKind.InvalidState,
            "PostgreSQL does not run as root, and this machine has no other account (postgres, nobody) or no program (setpriv, runuser) to change to it.")
        {
            RecommendedAction = "Run as another user, or give metadata_db.url.",
        };
    }

    /// <summary>Prepares a program to be run by the account.</summary>
    public ProcessStartInfo Command(string program, string workingFolder, params IEnumerable<string> arguments)
    {
        string[] line = [.. _prefix, program, .. arguments];
        var start = new ProcessStartInfo(line[0])
        {
            WorkingDirectory = workingFolder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in line.Skip(1))
        {
            start.ArgumentList.Add(argument);
        }

        // The server's messages are quoted in errors and must not depend on somebody's language.
        start.Environment["LC_ALL"] = "C";
        return start;
    }

    /// <summary>Makes a folder that only the account can enter.</summary>
    public void CreateFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
            return;
        }

        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (IsOther && ChangeOwner(folder, UserId!.Value, GroupId!.Value) != 0)
        {
            throw new IOException($"cannot give {folder} to user {UserId}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    private static (string Name, int User, int Group)? FindAccount(string name)
    {
        var fields = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).FirstOrDefault(f => f[0] == name && f.Length > 3);
        return fields is null
            ? null
            : (name, int.Parse(fields[2], CultureInfo.InvariantCulture), int.Parse(fields[3], CultureInfo.InvariantCulture));
    }

    private static string? FindProgram(string name) =>
        new[] { "/usr/bin", "/usr/sbin", "/bin", "/sbin" }.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUserId();

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, int user, int group);
}
