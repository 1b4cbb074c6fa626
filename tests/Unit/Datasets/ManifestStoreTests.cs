using System.Text;

namespace Amp.Datasets;

public sealed class ManifestStoreTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("amp-manifests-");
    private readonly RawManifest _manifest = EvmRpcManifest.Generate("mainnet", 5);

    private string Folder => Path.Combine(_folder.FullName, "manifests");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Save_WhenNew_WritesTheCanonicalFileNamedByItsHashAndNothingElse()
    {
        var store = new ManifestStore(Folder);

        var (hash, path) = await store.SaveAsync(_manifest, CancellationToken.None);

        Assert.Equal(ManifestHash.Compute(_manifest), hash);
        Assert.Equal(hash, path);
        Assert.Equal([Path.Combine(Folder, hash)], Directory.GetFileSystemEntries(Folder));
        Assert.Equal(ManifestJson.Write(_manifest), await File.ReadAllBytesAsync(Path.Combine(Folder, path)));
        Assert.Equal(ManifestJson.Write(_manifest), ManifestJson.Write(await store.ReadAsync(hash)));
    }

    [Fact]
    public async Task Save_WhenTheFileIsThere_LeavesAGoodOneAndRepairsABrokenOne()
    {
        var store = new ManifestStore(Folder);
        var (hash, _) = await store.SaveAsync(_manifest, CancellationToken.None);
        var file = Path.Combine(Folder, hash);
        var longAgo = new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(file, longAgo);

        await store.SaveAsync(_manifest, CancellationToken.None);
        Assert.Equal(longAgo, File.GetLastWriteTimeUtc(file));

        await File.WriteAllTextAsync(file, "{");
        await store.SaveAsync(_manifest, CancellationToken.None);
        Assert.Equal(5ul, (await store.ReadAsync(hash)).StartBlock);
    }

    [Fact]
    public async Task Read_WhenMissingChangedOrOutside_SaysSo()
    {
        var store = new ManifestStore(Folder);
        var (hash, _) = await store.SaveAsync(_manifest, CancellationToken.None);
        var missing = await Assert.ThrowsAsync<AmpException>(() => store.ReadAsync(new string('0', 64)));
        var outside = await Assert.ThrowsAsync<AmpException>(() => store.ReadAsync(hash, "../secret"));
        await File.WriteAllTextAsync(Path.Combine(Folder, hash), Encoding.UTF8.GetString(ManifestJson.Write(_manifest)) + " ");
        var corrupt = await Assert.ThrowsAsync<AmpException>(() => store.ReadAsync(hash));

        Assert.Equal(("ManifestNotFound", "ManifestNotFound", "ManifestCorrupt"), (missing.ErrorCode, outside.ErrorCode, corrupt.ErrorCode));
    }

    [Fact]
    public async Task Read_WhenAnOlderDeploymentRegisteredItWithFewerColumns_ReadsItWithTheColumnsThatAreExtracted()
    {
        var json = """{"kind":"evm-rpc","network":"m","start_block":3,"finalized_blocks_only":false,"tables":{"logs":{"schema":{"arrow":{"fields":[{"name":"data","type":"Binary","nullable":false}]}},"network":"m"}}}"""u8.ToArray();
        var hash = ManifestHash.Compute(json);
        Directory.CreateDirectory(Folder);
        await File.WriteAllBytesAsync(Path.Combine(Folder, hash), json);

        var manifest = await new ManifestStore(Folder).ReadAsync(hash);

        Assert.Equal(3ul, manifest.StartBlock);
        Assert.Equal(13, manifest.Tables.Single().Columns.Count);
        Assert.Equal("ColumnMismatch", Assert.Throws<AmpException>(() => ManifestJson.Parse(json, "test")).ErrorCode);
    }

    [Fact]
    public async Task Remove_WhenTwice_IsContent()
    {
        var store = new ManifestStore(Folder);
        var (hash, _) = await store.SaveAsync(_manifest, CancellationToken.None);

        store.Remove(hash);
        store.Remove(hash);

        Assert.Empty(Directory.GetFileSystemEntries(Folder));
    }

    [Fact]
    public async Task Save_WhenFolderCannotBeMade_SaysWhyAndWhatToCheck()
    {
        await File.WriteAllTextAsync(Folder, "a file in the way");

        var error = await Assert.ThrowsAsync<AmpException>(() => new ManifestStore(Folder).SaveAsync(_manifest, CancellationToken.None));

        Assert.Equal("ManifestNotWritable", error.ErrorCode);
        Assert.Contains("manifests_dir", error.RecommendedAction!, StringComparison.Ordinal);
    }
}
