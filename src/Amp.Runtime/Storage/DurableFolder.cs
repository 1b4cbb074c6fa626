using System.Runtime.InteropServices;

namespace Amp.Storage;

/// <summary>Folders whose entries survive a power failure. Windows writes them through by itself.</summary>
internal static partial class DurableFolder
{
    private const int ReadOnly = 0;
    private const int InvalidArgument = 22;

    /// <summary>Creates a folder and its parents where they are missing, and puts their entries on disk.</summary>
    public static void Create(string folder)
    {
        if (Directory.Exists(folder))
        {
            return;
        }

        var parent = Path.GetDirectoryName(folder);
        if (parent is not null)
        {
            Create(parent);
        }

        Directory.CreateDirectory(folder);
        if (parent is not null)
        {
            Flush(parent);
        }
    }

    /// <summary>Puts a folder's entries on disk: files made, renamed and deleted in it.</summary>
    public static void Flush(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        var descriptor = Open(folder, ReadOnly);
        if (descriptor < 0)
        {
            throw Failure(folder);
        }

        try
        {
            // Some network file systems cannot flush a folder and say EINVAL: there is no more to be done there.
            if (FSync(descriptor) != 0 && Marshal.GetLastPInvokeError() is not InvalidArgument)
            {
                throw Failure(folder);
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    private static IOException Failure(string folder)
    {
        var error = Marshal.GetLastPInvokeError();
        return new IOException($"{Marshal.GetPInvokeErrorMessage(error)} : '{folder}'", error);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
