namespace Amp.Storage;

/// <summary>Tells a full disk from a folder that cannot be written from everything else.</summary>
internal static class StorageError
{
    private const int ErrorHandleDiskFull = unchecked((int)0x80070027);
    private const int ErrorDiskFull = unchecked((int)0x80070070);
    private const int ErrorWriteProtect = unchecked((int)0x80070013);
    private const int NoSpace = 28;
    private const int ReadOnlyFileSystem = 30;
    private const int FileInTheWay = 17;
    private static readonly int QuotaExceeded = OperatingSystem.IsMacOS() ? 69 : 122;

    /// <summary>Whether an exception is the file system's.</summary>
    public static bool IsKnown(Exception e) => e is IOException or UnauthorizedAccessException;

    /// <summary>The error for a failure of the file system.</summary>
    /// <param name="e">The failure. Off Windows its HResult is errno.</param>
    /// <param name="action">What was being done, to be followed by the path.</param>
    /// <param name="path">The file or folder.</param>
    public static AmpException Of(Exception e, string action, string path)
    {
        if (e is IOException && (e.HResult is ErrorDiskFull or ErrorHandleDiskFull || (!OperatingSystem.IsWindows() && (e.HResult == NoSpace || e.HResult == QuotaExceeded))))
        {
            return new AmpException("StorageFull", AmpErrorKind.LimitReached, $"Could not {action} {path}: the disk is full.", e)
            {
                Target = path,
                IsTransient = true,
                RecommendedAction = $"Free space on the volume of {Path.GetDirectoryName(path)}, or set data_dir to a larger one.",
            };
        }

        // What cannot be found while something is made is the place for it: a file stands where a folder should.
        var denied = e is UnauthorizedAccessException or FileNotFoundException or DirectoryNotFoundException || e.HResult == ErrorWriteProtect
            || (!OperatingSystem.IsWindows() && e.HResult is ReadOnlyFileSystem or FileInTheWay);
        return denied
            ? new AmpException("StorageNotWritable", AmpErrorKind.Denied, $"Could not {action} {path}: {e.Message}", e)
            {
                Target = path,
                RecommendedAction = $"Give the account that runs the worker write access to {Path.GetDirectoryName(path)}, or set data_dir to another folder.",
            }
            : new AmpException("StorageFailed", AmpErrorKind.Unavailable, $"Could not {action} {path}: {e.Message}", e)
            {
                Target = path,
                RecommendedAction = $"Look at the volume of {Path.GetDirectoryName(path)} and at data_dir.",
            };
    }
}
