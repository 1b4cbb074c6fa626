using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Amp.MetadataDb;

/// <summary>
/// What a private server keeps in its folder: <c>password</c> (readable by the owner alone), <c>port</c>, <c>home</c> (where
/// the server's files are), <c>owner.lock</c> (held by the process that started the server, as long as it lives).
/// </summary>
internal sealed class ServerFolder
{
    /// <summary>Longest path of a socket that both Linux (107 bytes) and macOS (103) take.</summary>
    private const int LongestSocketPath = 103;

    private ServerFolder(string root, string home)
    {
        Root = root;
        Home = home;
    }

    public string Root { get; }

    /// <summary>Folder of the account that runs the server; below <see cref="Root"/> unless that account cannot get there.</summary>
    public string Home { get; }

    public string Data => Path.Combine(Home, "data");

    public string LogFile => Path.Combine(Home, "postgres.log");

    /// <summary>Major version of the cluster; null when there is none yet.</summary>
    public int? Major =>
        File.Exists(Path.Combine(Data, "PG_VERSION"))
            ? int.Parse(File.ReadAllText(Path.Combine(Data, "PG_VERSION")).Trim(), CultureInfo.InvariantCulture)
            : null;

    private string PasswordFile => Path.Combine(Root, "password");

    private string PortFile => Path.Combine(Root, "port");

    /// <summary>Opens the folder, making what is missing.</summary>
    public static async Task<ServerFolder> OpenAsync(string folder, ServerAccount account, CancellationToken cancellationToken)
    {
        var root = Path.GetFullPath(folder);
        Directory.CreateDirectory(root);
        var pointer = Path.Combine(root, "home");
        if (File.Exists(pointer) && (await File.ReadAllTextAsync(pointer, cancellationToken)).Trim() is { } known && Directory.Exists(known))
        {
            return new ServerFolder(root, known);
        }

        var home = Path.Combine(root, "server");
        account.CreateFolder(home);
        if (account.IsOther && !await CanEnterAsync(account, home, cancellationToken))
        {
            // Somewhere above, the way is closed to the account (/root is). An unguessable name cannot be taken beforehand.
            Directory.Delete(home);
            home = Path.Combine("/var/tmp", $"amp-metadb-{RandomNumberGenerator.GetHexString(16, lowercase: true)}");
            account.CreateFolder(home);
            await File.WriteAllTextAsync(pointer, home, cancellationToken);
        }

        return new ServerFolder(root, home);
    }

    /// <summary>Takes the owner's lock; null when a living process has it. The lock goes with the process, however it ends.</summary>
    public FileStream? TryLock()
    {
        try
        {
            return new FileStream(Path.Combine(Root, "owner.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Reads the password; null when none was made yet.</summary>
    public string? ReadPassword() => File.Exists(PasswordFile) ? File.ReadAllText(PasswordFile).Trim() : null;

    public string CreatePassword()
    {
        var password = RandomNumberGenerator.GetHexString(32, lowercase: true);
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var writer = new StreamWriter(PasswordFile, options);
        writer.Write(password);
        return password;
    }

    /// <summary>Reads the port of the last start; null when there was none.</summary>
    public int? ReadPort() =>
        File.Exists(PortFile) && int.TryParse(File.ReadAllText(PortFile), CultureInfo.InvariantCulture, out var port) ? port : null;

    /// <summary>Gives the remembered port if it is free, else a free one, which is remembered.</summary>
    public int ChoosePort()
    {
        if (ReadPort() is { } remembered && TryPort(remembered) is { } same)
        {
            return same;
        }

        var port = TryPort(0) ?? throw new IOException("no free port on 127.0.0.1");
        var temporary = PortFile + ".new";
        File.WriteAllText(temporary, port.ToString(CultureInfo.InvariantCulture));
        File.Move(temporary, PortFile, overwrite: true);
        return port;
    }

    /// <summary>Folder for the server's socket, made if need be; null where the system has none (Windows).</summary>
    public string? SocketFolder(ServerAccount account, int port)
    {
        if (OperatingSystem.IsWindows())
        {
            return null;
        }

        // The path goes through a shell and a list: other characters than these are not worth the quoting.
        if (Path.Combine(Home, $".s.PGSQL.{port}").Length <= LongestSocketPath
            && Home.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '_' or '-'))
        {
            return Home;
        }

        var pointer = Path.Combine(Root, "socket");
        var folder = File.Exists(pointer) ? File.ReadAllText(pointer).Trim() : "";
        if (!Directory.Exists(folder))
        {
            folder = Path.Combine("/tmp", $"amp-{RandomNumberGenerator.GetHexString(16, lowercase: true)}");
            account.CreateFolder(folder);
            File.WriteAllText(pointer, folder);
        }

        return folder;
    }

    private static int? TryPort(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return ((IPEndPoint)listener.LocalEndpoint).Port;
        }
        catch (SocketException)
        {
            return null;
        }
    }

    private static async Task<bool> CanEnterAsync(ServerAccount account, string folder, CancellationToken cancellationToken) =>
        (await ServerProgram.RunAsync(account.Command("/bin/sh", "/", "-c", "cd \"$1\" && test -w .", "sh", folder), "", cancellationToken)).ExitCode == 0;
}
