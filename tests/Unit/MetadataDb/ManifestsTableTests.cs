using Amp.Datasets;
using Amp.Support;

namespace Amp.MetadataDb;

[Collection(PostgresFixture.Collection)]
public sealed class ManifestsTableTests(PostgresFixture postgres)
{
    [ToolFact("postgres")]
    public async Task Register_MovesDevAlwaysAndLatestOnlyUpwards()
    {
        await using var test = await postgres.CreateAsync();
        var manifests = test.Database.Manifests;

        await RegisterAsync("1.2.0", 'a');
        await RegisterAsync("1.10.0", 'b');
        await RegisterAsync("1.9.0", 'c');
        await RegisterAsync("1.10.0-rc.1", 'd');
        await RegisterAsync(null, 'e');

        Assert.Equal(Hash('b'), await manifests.ResolveAsync("ethereum", "mainnet", "latest"));
        Assert.Equal(Hash('b'), await manifests.ResolveAsync("ethereum", "mainnet"));
        Assert.Equal(Hash('e'), await manifests.ResolveAsync("ethereum", "mainnet", "dev"));
        Assert.Equal(Hash('c'), await manifests.ResolveAsync("ethereum", "mainnet", "1.9.0"));
        Assert.Equal(Hash('e'), await manifests.ResolveAsync("ethereum", "mainnet", Hash('e')));
        Assert.Equal(["1.10.0", "1.10.0-rc.1", "1.9.0", "1.2.0"], (await manifests.ListAsync("ethereum")).Select(d => d.Version));
        Assert.Equal(6, (await manifests.ListAsync(includeMoving: true)).Count);

        Task RegisterAsync(string? version, char hash) =>
            manifests.RegisterAsync("ethereum", "mainnet", version, Hash(hash), "evm-rpc", $"{Hash(hash)}.json");
    }

    [ToolFact("postgres")]
    public async Task Register_OfTwentyVersionsAtOnce_EndsWithTheHighestAsLatest()
    {
        await using var test = await postgres.CreateAsync();

        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() => test.Database.Manifests.RegisterAsync(
            "ethereum", "mainnet", $"1.{i}.0", Hash((char)('a' + i)), "evm-rpc", "x.json"))));

        Assert.Equal(Hash((char)('a' + 19)), await test.Database.Manifests.ResolveAsync("ethereum", "mainnet", "latest"));
    }

    [ToolFact("postgres")]
    public async Task Resolve_OfWhatIsNotThere_SaysWhich()
    {
        await using var test = await postgres.CreateAsync();
        var manifests = test.Database.Manifests;
        await manifests.RegisterAsync("ethereum", "mainnet", "1.0.0", Hash('a'), "evm-rpc", "a.json");

        var dataset = await Assert.ThrowsAsync<AmpException>(() => manifests.ResolveAsync("ethereum", "base", "1.0.0"));
        var version = await Assert.ThrowsAsync<AmpException>(() => manifests.ResolveAsync("ethereum", "mainnet", "2.0.0"));
        var invalid = await Assert.ThrowsAsync<AmpException>(() => manifests.RegisterAsync("ethereum", "mainnet", "v1", Hash('b'), "evm-rpc", "b.json"));

        Assert.Equal(("DatasetNotFound", "DatasetVersionNotFound", "DatasetVersionInvalid"), (dataset.ErrorCode, version.ErrorCode, invalid.ErrorCode));
        Assert.Contains("1.0.0", version.Message, StringComparison.Ordinal);
        Assert.Equal("a.json", (await manifests.FindAsync(Hash('a')))!.Path);
        Assert.Null(await manifests.FindAsync(Hash('b')));
    }

    [Fact]
    public void Versions_AreOrderedAsTheStandardSays()
    {
        string[] ordered =
        [
            "0.9.9", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
            "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.10", "1.2.0", "10.0.0",
        ];

        var random = new Random(1);
        for (var i = 0; i < 20; i++)
        {
            var shuffled = ordered.ToArray();
            random.Shuffle(shuffled);
            Assert.Equal(ordered, shuffled.Order(SemanticVersion.TextOrder));
        }
    }

    private static string Hash(char c) => new(c, 64);
}
