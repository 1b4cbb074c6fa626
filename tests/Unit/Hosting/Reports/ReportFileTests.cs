namespace Amp.Hosting.Reports;

public sealed class ReportFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("amp-report-").FullName;

    private string Path => System.IO.Path.Combine(_folder, "report.html");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Write_MakesTheFile_AndLeavesNothingElse()
    {
        var file = await ReportFile.Require(Path, overwrite: false, overwriteReadOnly: false).WriteAsync("page"u8.ToArray(), CancellationToken.None);

        Assert.Equal((Path, "page"), (file.FullName, await File.ReadAllTextAsync(Path)));
        Assert.Single(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public async Task Require_FileThatIsThere_IsReplaced_UnlessItIsToStay()
    {
        await File.WriteAllTextAsync(Path, "old");

        Assert.Equal("ReportExists", Refused(Path, overwrite: false));
        await ReportFile.Require(Path, overwrite: true, overwriteReadOnly: false).WriteAsync("new"u8.ToArray(), CancellationToken.None);
        Assert.Equal("new", await File.ReadAllTextAsync(Path));
    }

    [Fact]
    public async Task Require_ReadOnlyFile_IsReplacedOnlyWithForce_AndStaysReadOnly()
    {
        await File.WriteAllTextAsync(Path, "old");
        new FileInfo(Path).IsReadOnly = true;

        Assert.Equal("ReportReadOnly", Refused(Path, overwrite: true));
        var file = await ReportFile.Require(Path, overwrite: true, overwriteReadOnly: true).WriteAsync("new"u8.ToArray(), CancellationToken.None);

        Assert.Equal("new", await File.ReadAllTextAsync(Path));
        Assert.True(file.IsReadOnly);
        file.IsReadOnly = false;
    }

    [Fact]
    public async Task Write_FileThatOthersMayNotRead_StaysSo()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        await File.WriteAllTextAsync(Path, "old");
        File.SetUnixFileMode(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite);

        await ReportFile.Require(Path, overwrite: true, overwriteReadOnly: false).WriteAsync("new"u8.ToArray(), CancellationToken.None);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path));
    }

    [Fact]
    public async Task Write_ThroughALink_ReplacesWhatItLeadsTo()
    {
        var link = System.IO.Path.Combine(_folder, "link.html");
        await File.WriteAllTextAsync(Path, "old");
        File.CreateSymbolicLink(link, Path);

        await ReportFile.Require(link, overwrite: true, overwriteReadOnly: false).WriteAsync("new"u8.ToArray(), CancellationToken.None);

        Assert.Equal("new", await File.ReadAllTextAsync(Path));
        Assert.NotNull(new FileInfo(link).LinkTarget);
    }

    [Fact]
    public void Require_PlaceWhereNoFileCanBe_IsRefused()
    {
        Assert.Equal("ReportPathIsFolder", Refused(_folder, overwrite: true));
        Assert.Equal("ReportFolderNotFound", Refused(System.IO.Path.Combine(_folder, "none", "report.html"), overwrite: true));
        Assert.Equal("ReportPathInvalid", Refused(Path + "\0", overwrite: true));
        File.CreateSymbolicLink(Path, Path);
        Assert.Equal("ReportPathInvalid", Refused(Path, overwrite: true));
    }

    [Fact]
    public async Task Write_ThatIsCancelled_LeavesTheFileAsItWas()
    {
        await File.WriteAllTextAsync(Path, "old");
        var file = ReportFile.Require(Path, overwrite: true, overwriteReadOnly: false);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => file.WriteAsync("new"u8.ToArray(), new CancellationToken(canceled: true)));

        Assert.Equal("old", await File.ReadAllTextAsync(Path));
        Assert.Single(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public async Task Write_WhereNobodyMayWrite_SaysSo()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        var file = ReportFile.Require("/proc/report.html", overwrite: true, overwriteReadOnly: false);

        var refused = await Assert.ThrowsAsync<AmpException>(() => file.WriteAsync("page"u8.ToArray(), CancellationToken.None));
        Assert.Equal(("ReportNotWritable", "/proc/report.html"), (refused.ErrorCode, refused.Target));
    }

    private static string Refused(string path, bool overwrite) =>
        Assert.Throws<AmpException>(() => ReportFile.Require(path, overwrite, overwriteReadOnly: false)).ErrorCode;
}
