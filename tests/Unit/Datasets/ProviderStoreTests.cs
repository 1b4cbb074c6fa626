using Amp.Configuration;

namespace Amp.Datasets;

public sealed class ProviderStoreTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("amp-providers-");
    private readonly Dictionary<string, string> _environment = new() { ["RPC_URL"] = "https://node/v3/hunter2", ["TOKEN"] = "hunter${2}" };

    private string Folder => Path.Combine(_folder.FullName, "providers");

    private ProviderStore Store => new(Folder, _environment);

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Get_WhenOnlyRequiredKeysAreSet_YieldsDefaults()
    {
        Write("local", "kind = \"evm-rpc\"\nnetwork = \"anvil\"\nurl = \"http://127.0.0.1:8545\"");

        var provider = await Store.GetAsync("local", CancellationToken.None);

        var expected = new ProviderConfig { Name = "local", Kind = "evm-rpc", Network = "anvil", Url = Secret.ForUrl("http://127.0.0.1:8545") };
        Assert.Equal(expected, provider);
        Assert.Equal((1024, 0, null, TimeSpan.FromSeconds(30)), (provider.ConcurrentRequestLimit, provider.RpcBatchSize, provider.RateLimitPerMinute, provider.Timeout));
    }

    [Fact]
    public async Task Get_WhenVariablesAreReferredTo_PutsTheirValuesInAndShowsNone()
    {
        Write("main-net_1", "kind = \"evm-rpc\"\nnetwork = \"mainnet\"\nurl = \"${RPC_URL}\"\nauth_token = \"x${TOKEN}y${TOKEN}\"\nauth_header = \"Drpc-Key\"");

        var provider = await Store.GetAsync("main-net_1", CancellationToken.None);

        Assert.Equal("https://node/v3/hunter2", provider.Url.Reveal());
        Assert.Equal("xhunter${2}yhunter${2}", provider.AuthToken!.Reveal());
        Assert.DoesNotContain("hunter", provider.ToString(), StringComparison.Ordinal);
        var contract = provider.ToContract(Store.PathOf(provider.Name));
        Assert.Equal(("https://node/v3/***", Path.Combine(Folder, "main-net_1.toml")), (contract.Url, contract.Path));
    }

    [Theory]
    [InlineData("url = \"https://${MISSING}@node\"", "line 3: url refers to the environment variable MISSING, which is not set")]
    [InlineData("url = \"https://${RPC\"", "line 3: url has '${' without a closing '}'")]
    [InlineData("url = \"${}\"", "line 3: url has '${}' without a name in it")]
    [InlineData("url = \"ftp://u:hunter2@x\"", "line 3: url is text, but must be a URL that begins with http://")]
    [InlineData("url = 5", "line 3: url is an integer, but must be")]
    [InlineData("", "line 1: url is missing; it must be a URL")]
    [InlineData("url = \"${RPC_URL}\"\nrpc_batchsize = 5", "line 4: rpc_batchsize is not a known key; did you mean rpc_batch_size?")]
    [InlineData("url = \"${RPC_URL}\"\nconcurrent_request_limit = 0", "line 4: concurrent_request_limit is 0, but must be an integer from 1 to 65535")]
    [InlineData("url = \"${RPC_URL}\"\nauth_token = 12345", "line 4: auth_token is an integer, but must be text")]
    public async Task Get_WhenAKeyIsWrong_NamesProviderFileLineAndKey(string text, string expected)
    {
        Write("mainnet", "kind = \"evm-rpc\"\nnetwork = \"mainnet\"\n" + text);

        var error = await Assert.ThrowsAsync<AmpException>(() => Store.GetAsync("mainnet", CancellationToken.None));

        Assert.Equal("InvalidProvider", error.ErrorCode);
        Assert.Contains("'mainnet'", error.Message, StringComparison.Ordinal);
        Assert.Contains(Path.Combine(Folder, "mainnet.toml"), error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("12345", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Save_WhenReadBack_KeepsEveryValueAndEveryReference()
    {
        var provider = new ProviderConfig
        {
            Name = "mainnet",
            Kind = "evm-rpc",
            Network = "mainnet",
            Url = Secret.ForUrl("${RPC_URL}/\"quoted\"\\"),
            AuthHeader = "X-Key",
            AuthToken = new Secret("${TOKEN}\n"),
            ConcurrentRequestLimit = 7,
            RpcBatchSize = 100,
            RateLimitPerMinute = 60,
            FetchReceiptsPerTx = true,
            Timeout = TimeSpan.FromSeconds(1.5),
        };

        var path = await Store.SaveAsync(provider, overwrite: false, CancellationToken.None);

        Assert.Equal(provider, await Store.GetStoredAsync("mainnet", CancellationToken.None));
        Assert.Contains("${RPC_URL}", await File.ReadAllTextAsync(path), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter", await File.ReadAllTextAsync(path), StringComparison.Ordinal);
        Assert.Equal([path], Directory.GetFileSystemEntries(Folder));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        }
    }

    [Fact]
    public async Task Save_WhenItExists_RefusesUnlessAsked()
    {
        Write("mainnet", "kind = \"evm-rpc\"\nnetwork = \"old\"\nurl = \"http://old\"");
        var provider = (await Store.GetAsync("mainnet", CancellationToken.None)) with { Network = "new" };

        var error = await Assert.ThrowsAsync<AmpException>(() => Store.SaveAsync(provider, overwrite: false, CancellationToken.None));
        Assert.Equal(("ProviderExists", AmpErrorKind.Conflict), (error.ErrorCode, error.Kind));
        Assert.Equal("old", (await Store.GetAsync("mainnet", CancellationToken.None)).Network);

        await Store.SaveAsync(provider, overwrite: true, CancellationToken.None);
        Assert.Equal("new", (await Store.GetAsync("mainnet", CancellationToken.None)).Network);
    }

    [Fact]
    public async Task Save_WhenResolvedOrInvalid_RefusesBeforeWriting()
    {
        Write("mainnet", "kind = \"evm-rpc\"\nnetwork = \"mainnet\"\nurl = \"${RPC_URL}\"");
        var resolved = await Store.GetAsync("mainnet", CancellationToken.None);
        var stored = await Store.GetStoredAsync("mainnet", CancellationToken.None);

        var first = await Assert.ThrowsAsync<AmpException>(() => Store.SaveAsync(resolved, overwrite: true, CancellationToken.None));
        var second = await Assert.ThrowsAsync<AmpException>(() => Store.SaveAsync(stored with { RpcBatchSize = -1 }, overwrite: true, CancellationToken.None));
        var third = await Assert.ThrowsAsync<AmpException>(() => Store.SaveAsync(stored with { Name = "../x" }, overwrite: true, CancellationToken.None));

        Assert.Equal(("ProviderResolved", "InvalidProvider", "InvalidProviderName"), (first.ErrorCode, second.ErrorCode, third.ErrorCode));
        Assert.Contains("${RPC_URL}", await File.ReadAllTextAsync(Store.PathOf("mainnet")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task FindForNetwork_WhenSeveralMatch_ReturnsAllAndMindsNoBrokenOrForeignFile()
    {
        _environment["NETWORK"] = "mainnet";
        Write("b", "kind = \"evm-rpc\"\nnetwork = \"mainnet\"\nurl = \"http://b\"");
        Write("a", "kind = \"evm-rpc\"\nnetwork = \"${NETWORK}\"\nurl = \"http://a\"");
        Write("other", "kind = \"evm-rpc\"\nnetwork = \"base\"\nurl = \"${MISSING}\"");
        Write("fire", "kind = \"firehose\"\nnetwork = \"mainnet\"\ntoken = \"x\"");
        Write("broken", "kind = ");
        await File.WriteAllTextAsync(Path.Combine(Folder, "notes.txt"), "");

        var found = await Store.FindForNetworkAsync("evm-rpc", "mainnet", CancellationToken.None);

        Assert.Equal(["a", "b"], found.Select(provider => provider.Name).ToArray());
        Assert.Equal(["a", "b", "broken", "fire", "other"], Store.ListNames().ToArray());
    }

    [Fact]
    public async Task FindForNetwork_WhenNoneMatches_IsEmptyUnlessAFileCannotBeRead()
    {
        Assert.Empty(await Store.FindForNetworkAsync("evm-rpc", "mainnet", CancellationToken.None));

        Write("fire", "kind = \"firehose\"\nnetwork = \"mainnet\"\ntoken = \"x\"");
        Assert.Empty(await Store.FindForNetworkAsync("evm-rpc", "mainnet", CancellationToken.None));

        Write("broken", "kind = ");
        var error = await Assert.ThrowsAsync<AmpException>(() => Store.FindForNetworkAsync("evm-rpc", "mainnet", CancellationToken.None));
        Assert.Equal("InvalidToml", error.ErrorCode);
    }

    [Fact]
    public async Task FindForNetwork_WhenAMatchLacksItsVariable_SaysSo()
    {
        Write("mainnet", "kind = \"evm-rpc\"\nnetwork = \"mainnet\"\nurl = \"${MISSING}\"");

        var error = await Assert.ThrowsAsync<AmpException>(() => Store.FindForNetworkAsync("evm-rpc", "mainnet", CancellationToken.None));

        Assert.Contains("url refers to the environment variable MISSING", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Remove_WhenThereIsNone_SaysWhichAreKnown()
    {
        Write("mainnet", "kind = \"evm-rpc\"\nnetwork = \"mainnet\"\nurl = \"http://a\"");

        var error = await Assert.ThrowsAsync<AmpException>(() => Store.GetAsync("mainet", CancellationToken.None));
        Store.Remove("mainnet");

        Assert.Equal(("ProviderNotFound", AmpErrorKind.NotFound), (error.ErrorCode, error.Kind));
        Assert.Contains("did you mean 'mainnet'?", error.Message, StringComparison.Ordinal);
        Assert.Equal("ProviderNotFound", Assert.Throws<AmpException>(() => Store.Remove("mainnet")).ErrorCode);
        Assert.Empty(Store.ListNames());
    }

    private void Write(string name, string text)
    {
        Directory.CreateDirectory(Folder);
        File.WriteAllText(Path.Combine(Folder, name + ".toml"), text);
    }
}
