using Amp.Datasets;

namespace Amp.Hosting.Reports;

/// <summary>The file that a report is written to: whole, or not at all.</summary>
public sealed class ReportFile
{
    private readonly string _path;
    private readonly bool _overwrite;

    private ReportFile(string path, bool overwrite) => (_path, _overwrite) = (path, overwrite);

    /// <summary>Finds out whether a file can be written, as far as can be told without trying; changes nothing.</summary>
    /// <param name="path">The file's full path. Where it is a link, the file that it leads to is meant.</param>
    /// <param name="overwrite">Whether one that is there may be replaced.</param>
    /// <param name="overwriteReadOnly">Whether that holds for one that is marked read-only too; it is marked so afterwards.</param>
    /// <exception cref="AmpException"><c>ReportExists</c>, <c>ReportReadOnly</c>, <c>ReportFolderNotFound</c>, <c>ReportPathIsFolder</c>, <c>ReportPathInvalid</c>.</exception>
    public static ReportFile Require(string path, bool overwrite, bool overwriteReadOnly)
    {
        FileInfo file;
        try
        {
            file = new FileInfo(path);
            file = file.LinkTarget is null ? file : (FileInfo)file.ResolveLinkTarget(returnFinalTarget: true)!;
        }
        catch (Exception e) when (e is IOException or ArgumentException)
        {
            throw Refused("ReportPathInvalid", AmpErrorKind.InvalidInput, $"'{path}' is not the path of a file: {e.Message.TrimEnd('.')}.", "Give a path in the file system, such as ./report.html.");
        }

        if (Directory.Exists(file.FullName))
        {
            throw Refused("ReportPathIsFolder", AmpErrorKind.InvalidInput, $"'{path}' is a folder, and a report is a file.", "Add the name of a file, such as report.html.");
        }

        if (file.Directory is { Exists: false } folder)
        {
            throw Refused(
                "ReportFolderNotFound", AmpErrorKind.NotFound, $"There is no folder '{folder.FullName}' for the report.", $"Make it, or give another -Path: New-Item -ItemType Directory '{folder.FullName}'");
        }

        if (file.Exists && !overwrite)
        {
            throw Refused("ReportExists", AmpErrorKind.Conflict, $"The file '{path}' exists already; it was left as it is.", "Leave -NoClobber out to replace it, or give another -Path.");
        }

        return file is not { Exists: true, IsReadOnly: true } || overwriteReadOnly
            ? new ReportFile(file.FullName, overwrite)
            : throw Refused("ReportReadOnly", AmpErrorKind.Denied, $"The file '{path}' is read-only; it was left as it is.", "Add -Force to replace it, or give another -Path.");

        AmpException Refused(string code, AmpErrorKind kind, string message, string action) => new(code, kind, message) { Target = path, RecommendedAction = action };
    }

    /// <summary>Writes the file: to a temporary name beside it, to disk, then to its name. Who may read it stays as it was.</summary>
    /// <param name="content">What it is to hold.</param>
    /// <param name="cancellationToken">Gives up; the file is as it was then.</param>
    /// <exception cref="AmpException"><c>ReportNotWritable</c>.</exception>
    public async Task<FileInfo> WriteAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var old = new FileInfo(_path);
        var (isReadOnly, isPrivate) = (old is { Exists: true, IsReadOnly: true }, IsPrivate(old));
        try
        {
            if (isReadOnly && OperatingSystem.IsWindows())
            {
                old.IsReadOnly = false;
            }

            await AtomicFile.WriteAsync(_path, content, isPrivate, _overwrite, cancellationToken);
            var file = new FileInfo(_path);
            if (isReadOnly)
            {
                file.IsReadOnly = true;
            }

            return file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AmpException("ReportNotWritable", AmpErrorKind.Denied, $"The report '{_path}' cannot be written: {e.Message}", e)
            {
                Target = _path,
                RecommendedAction = "Give another -Path, in a folder that you may write to and that has room.",
            };
        }
    }

    private static bool IsPrivate(FileInfo file) =>
        file.Exists && !OperatingSystem.IsWindows() && (file.UnixFileMode & (UnixFileMode.GroupRead | UnixFileMode.OtherRead)) == 0;
}
