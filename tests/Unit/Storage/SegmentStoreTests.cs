namespace Amp.Storage;

public sealed class SegmentStoreTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("amp-storage-").FullName;
    private readonly SegmentStore _store;

    public SegmentStoreTests() => _store = new SegmentStore(Path.Combine(_folder, "data"));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Publish_WhenContentWritten_FileHasItsNameAndContent()
    {
        await using var pending = await _store.CreateAsync("mainnet/blocks/rev/1.parquet", CancellationToken.None);
        await pending.Content.WriteAsync("content"u8.ToArray());

        var stored = await pending.PublishAsync(CancellationToken.None);

        Assert.Equal(7, stored.Size);
        Assert.Equal("content", await File.ReadAllTextAsync(Path.Combine(_store.Root, "mainnet", "blocks", "rev", "1.parquet")));
        Assert.Equal([stored], await _store.ListAsync("mainnet/blocks/rev", temporary: false, CancellationToken.None));
        Assert.Empty(await _store.ListAsync("mainnet/blocks/rev", temporary: true, CancellationToken.None));
    }

    [Fact]
    public async Task Create_BeforePublish_FileHasOnlyATemporaryName()
    {
        await using var pending = await _store.CreateAsync("blocks/1.parquet", CancellationToken.None);
        await pending.Content.WriteAsync(new byte[3]);

        Assert.Empty(await _store.ListAsync("blocks", temporary: false, CancellationToken.None));
        var unfinished = Assert.Single(await _store.ListAsync("blocks", temporary: true, CancellationToken.None));
        Assert.StartsWith("blocks/1.parquet.", unfinished.RelativePath, StringComparison.Ordinal);
        Assert.EndsWith(SegmentStore.TemporarySuffix, unfinished.RelativePath, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dispose_WithoutPublish_LeavesNoFile()
    {
        await using (var pending = await _store.CreateAsync("blocks/1.parquet", CancellationToken.None))
        {
            await pending.Content.WriteAsync(new byte[3]);
        }

        Assert.Empty(Directory.GetFiles(Path.Combine(_store.Root, "blocks")));
    }

    [Fact]
    public async Task Publish_WhenNameIsTaken_IsRefusedAndKeepsTheFirst()
    {
        await using (var first = await _store.CreateAsync("1.parquet", CancellationToken.None))
        {
            await first.Content.WriteAsync("first"u8.ToArray());
            await first.PublishAsync(CancellationToken.None);
        }

        await using (var second = await _store.CreateAsync("1.parquet", CancellationToken.None))
        {
            var error = await Assert.ThrowsAsync<AmpException>(() => second.PublishAsync(CancellationToken.None).AsTask());
            Assert.Equal("StorageFileExists", error.ErrorCode);
        }

        Assert.Equal("first", await File.ReadAllTextAsync(Path.Combine(_store.Root, "1.parquet")));
        Assert.Single(Directory.GetFiles(_store.Root));
    }

    [Fact]
    public async Task Delete_WhenFileExists_RemovesIt()
    {
        await using (var pending = await _store.CreateAsync("blocks/1.parquet", CancellationToken.None))
        {
            await pending.PublishAsync(CancellationToken.None);
        }

        Assert.True(await _store.DeleteAsync("blocks/1.parquet", CancellationToken.None));
        Assert.False(await _store.DeleteAsync("blocks/1.parquet", CancellationToken.None));
        Assert.Empty(await _store.ListAsync("blocks", temporary: false, CancellationToken.None));
    }

    [Fact]
    public async Task List_WhenFolderDoesNotExist_IsEmpty() =>
        Assert.Empty(await _store.ListAsync("nowhere", temporary: false, CancellationToken.None));

    [Fact]
    public void OpenRead_WhenFileIsMissing_SaysSo() =>
        Assert.Equal("StorageFileMissing", Assert.Throws<AmpException>(() => _store.OpenRead("blocks/1.parquet")).ErrorCode);

    [Theory]
    [InlineData("../outside")]
    [InlineData("a/../../outside")]
    [InlineData("/etc/passwd")]
    [InlineData("a//b")]
    [InlineData("./a")]
    [InlineData("a\\..\\b")]
    [InlineData("C:/a")]
    [InlineData("")]
    [InlineData("a/\0")]
    public void Resolve_WhenPathIsNotPlain_IsRefused(string path)
    {
        var error = Assert.Throws<AmpException>(() => _store.Resolve(path));

        Assert.Equal("StoragePathInvalid", error.ErrorCode);
    }

    [Fact]
    public async Task EnsureWritable_WhenRootIsMissing_LeavesNothingBehind()
    {
        var store = new SegmentStore(Path.Combine(_folder, "a", "b", "c"));

        await store.EnsureWritableAsync(CancellationToken.None);

        Assert.Empty(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public async Task EnsureWritable_WhenFoldersAreMadeMeanwhile_StaysOutOfTheirWay()
    {
        for (var round = 0; round < 100; round++)
        {
            var store = new SegmentStore(Path.Combine(_folder, $"round{round}", "data"));

            await Task.WhenAll(
                Task.Run(() => store.EnsureWritableAsync(CancellationToken.None)),
                Task.Run(() => store.EnsureWritableAsync(CancellationToken.None)),
                Task.Run(async () => await (await store.CreateAsync("table/file", CancellationToken.None)).DisposeAsync()));
        }
    }

    [Fact]
    public async Task EnsureWritable_WhenRootExists_LeavesItAsItWas()
    {
        Directory.CreateDirectory(Path.Combine(_store.Root, "blocks"));

        await _store.EnsureWritableAsync(CancellationToken.None);

        Assert.Equal([Path.Combine(_store.Root, "blocks")], Directory.GetFileSystemEntries(_store.Root));
    }

    [Fact]
    public async Task EnsureWritable_WhenAFileIsInTheWay_NamesTheFolder()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "file"), "");
        var store = new SegmentStore(Path.Combine(_folder, "file", "data"));

        var error = await Assert.ThrowsAsync<AmpException>(() => store.EnsureWritableAsync(CancellationToken.None));

        Assert.Equal("StorageNotWritable", error.ErrorCode);
        Assert.Contains(store.Root, error.Message, StringComparison.Ordinal);
        Assert.Equal("", await File.ReadAllTextAsync(Path.Combine(_folder, "file")));
    }

    [Fact]
    public async Task Create_WhenAccessIsDenied_IsNotWritable()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        // Nobody may make folders there, not even root.
        var store = new SegmentStore("/proc/sys");

        var error = await Assert.ThrowsAsync<AmpException>(() => store.CreateAsync("1.parquet", CancellationToken.None));

        Assert.Equal("StorageNotWritable", error.ErrorCode);
        Assert.Contains("/proc/sys/1.parquet", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Write_WhenDiskIsFull_SaysSoWithThePath()
    {
        if (!File.Exists("/dev/full"))
        {
            return;
        }

        await using var full = new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        var stream = new StorageStream(full, "/data/blocks/1.parquet.tmp");

        var error = await Assert.ThrowsAsync<AmpException>(() => stream.WriteAsync(new byte[10]).AsTask());

        Assert.Equal("StorageFull", error.ErrorCode);
        Assert.True(error.IsTransient);
        Assert.Contains("/data/blocks/1.parquet.tmp", error.Message, StringComparison.Ordinal);
        Assert.IsType<IOException>(error.InnerException);
    }

    [Fact]
    public void Write_WhenTheDeviceFails_SaysSoWithThePath()
    {
        var error = StorageError.Of(new IOException("Input/output error", 5), "write", "/data/blocks/1.parquet.tmp");

        Assert.Equal(("StorageFailed", AmpErrorKind.Unavailable, false), (error.ErrorCode, error.Kind, error.IsTransient));
        Assert.Equal("Could not write /data/blocks/1.parquet.tmp: Input/output error", error.Message);
    }
}
