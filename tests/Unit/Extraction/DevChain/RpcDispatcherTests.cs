using System.Text.Json;

namespace Amp.Extraction.DevChains;

/// <summary>What the chain answers, over real HTTP.</summary>
public sealed class RpcDispatcherTests : IAsyncLifetime, IDisposable
{
    private const int BlockCount = 100;

    private DevChain _chain = null!;
    private RpcClient _client = null!;

    public async Task InitializeAsync()
    {
        _chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = BlockCount });
        _client = new RpcClient(_chain.Url);
    }

    public async Task DisposeAsync() => await _chain.DisposeAsync();

    public void Dispose() => _client.Dispose();

    [Theory]
    [InlineData("eth_chainId", "\"0x7a69\"")]
    [InlineData("net_version", "\"31337\"")]
    [InlineData("eth_blockNumber", "\"0x63\"")]
    [InlineData("eth_syncing", "false")]
    [InlineData("web3_clientVersion", "\"AmpDevChain/1\"")]
    public async Task Call_ForChainsState_AnswersIt(string method, string expected)
    {
        var result = await _client.CallAsync(method);

        Assert.Equal(expected, result.GetRawText());
    }

    [Theory]
    [InlineData("0x0", 0)]
    [InlineData("0x2a", 42)]
    [InlineData("earliest", 0)]
    [InlineData("latest", 99)]
    [InlineData("pending", 99)]
    [InlineData("safe", 67)]
    [InlineData("finalized", 35)]
    public async Task GetBlockByNumber_ForNumberOrTag_AnswersThatBlock(string tag, ulong expected)
    {
        var block = await _client.CallAsync("eth_getBlockByNumber", tag, true);

        Assert.Equal(RpcClient.Hex(expected), block.GetProperty("number").GetString());
    }

    [Fact]
    public async Task GetBlock_WithoutFullTransactions_HasTheirHashesAndIsOtherwiseEqual()
    {
        for (var number = 0UL; number < 20; number++)
        {
            var full = await _client.CallAsync("eth_getBlockByNumber", RpcClient.Hex(number), true);
            var light = await _client.CallAsync("eth_getBlockByHash", full.GetProperty("hash").GetString(), false);

            Assert.Equal(
                full.GetProperty("transactions").EnumerateArray().Select(transaction => transaction.GetProperty("hash").GetString()),
                light.GetProperty("transactions").EnumerateArray().Select(hash => hash.GetString()));
            Assert.Equal(
                full.EnumerateObject().Where(property => property.Name != "transactions").Select(property => property.ToString()),
                light.EnumerateObject().Where(property => property.Name != "transactions").Select(property => property.ToString()));
        }
    }

    [Fact]
    public async Task GetBlockReceipts_ByNumberTagAndHash_AnswersTheSame()
    {
        var hash = (await _client.CallAsync("eth_getBlockByNumber", "latest", false)).GetProperty("hash").GetString();

        var byNumber = await _client.CallAsync("eth_getBlockReceipts", "0x63");
        var byTag = await _client.CallAsync("eth_getBlockReceipts", "latest");
        var byHash = await _client.CallAsync("eth_getBlockReceipts", hash);

        Assert.NotEqual(0, byNumber.GetArrayLength());
        Assert.Equal(byNumber.GetRawText(), byTag.GetRawText());
        Assert.Equal(byNumber.GetRawText(), byHash.GetRawText());
    }

    [Fact]
    public async Task GetTransactionAndReceipt_ByHash_AnswerThoseOfTheBlock()
    {
        for (var number = 90UL; number < BlockCount; number++)
        {
            var block = await _client.CallAsync("eth_getBlockByNumber", RpcClient.Hex(number), true);
            var receipts = await _client.CallAsync("eth_getBlockReceipts", RpcClient.Hex(number));
            foreach (var (transaction, receipt) in block.GetProperty("transactions").EnumerateArray().Zip(receipts.EnumerateArray()))
            {
                var hash = transaction.GetProperty("hash").GetString();

                Assert.Equal(transaction.GetRawText(), (await _client.CallAsync("eth_getTransactionByHash", hash)).GetRawText());
                Assert.Equal(receipt.GetRawText(), (await _client.CallAsync("eth_getTransactionReceipt", hash)).GetRawText());
            }
        }
    }

    [Theory]
    [InlineData("eth_getBlockByNumber", "0x64", true)]
    [InlineData("eth_getBlockByNumber", "0xffffffffffffffff", false)]
    [InlineData("eth_getBlockByHash", "0x0000000000000000000000000000000000000000000000000000000000000001", false)]
    [InlineData("eth_getBlockReceipts", "0x64")]
    [InlineData("eth_getTransactionByHash", "0x0000000000000000000000000000000000000000000000000000000000000001")]
    [InlineData("eth_getTransactionReceipt", "0x0000000000000000000000000000000000000000000000000000000000000001")]
    public async Task Call_ForWhatDoesNotExist_AnswersNull(string method, params object[] parameters)
    {
        var result = await _client.CallAsync(method, parameters);

        Assert.Equal(JsonValueKind.Null, result.ValueKind);
    }

    [Theory]
    [InlineData("{", -32700)]
    [InlineData("", -32700)]
    [InlineData("[{]", -32700)]
    [InlineData("1", -32600)]
    [InlineData("[]", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":5}""", -32600)]
    [InlineData("""{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}""", -32600)]
    [InlineData("""{"id":1,"method":"eth_chainId"}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"eth_\"no\u0001"}""", -32601)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"\ud800"}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockReceipts","params":["\ud800"]}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber"}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":{"a":1}}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x1"]}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x1","yes"]}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["newest",true]}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0xg",true]}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":[17,true]}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x10000000000000000",true]}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByHash","params":["0x12",true]}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"eth_getTransactionReceipt","params":["0xzz00000000000000000000000000000000000000000000000000000000000001"]}""", -32602)]
    public async Task Call_ThatIsWrong_AnswersItsErrorCode(string body, int expected)
    {
        var code = await _client.ErrorOfAsync(body);

        Assert.Equal(expected, code);
    }

    [Fact]
    public async Task Batch_OfGoodAndBadCalls_AnswersEachInOrderWithItsId()
    {
        const string Body = """
            [ {"jsonrpc":"2.0","id":"a","method":"eth_chainId"},
              {"jsonrpc":"2.0","id":2,"method":"no_such","params":[]},
              5,
              {"jsonrpc":"2.0","method":"eth_chainId"},
              {"jsonrpc":"2.0","id":3.5e0,"method":"eth_getBlockByNumber","params":["0x1",false]} ]
            """;

        var answers = (await _client.PostAsync(Body)).EnumerateArray().ToList();

        Assert.Equal(["\"a\"", "2", "null", "3.5e0"], answers.Select(answer => answer.GetProperty("id").GetRawText()));
        Assert.Equal("0x7a69", answers[0].GetProperty("result").GetString());
        Assert.Equal(-32601, answers[1].GetProperty("error").GetProperty("code").GetInt32());
        Assert.Equal(-32600, answers[2].GetProperty("error").GetProperty("code").GetInt32());
        Assert.Equal("0x1", answers[3].GetProperty("result").GetProperty("number").GetString());
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","method":"eth_chainId"}""")]
    [InlineData("""[{"jsonrpc":"2.0","method":"eth_chainId"},{"jsonrpc":"2.0","method":"eth_blockNumber"}]""")]
    public async Task Notification_Alone_IsAnsweredWithNothing(string body)
    {
        Assert.Equal("", await _client.PostTextAsync(body));
    }

    [Fact]
    public async Task Batch_OfTooManyCalls_IsRefusedAsAWhole()
    {
        var calls = Enumerable.Range(0, 1001).Select(id => $$"""{"jsonrpc":"2.0","id":{{id}},"method":"eth_chainId"}""");

        var code = await _client.ErrorOfAsync($"[{string.Join(',', calls)}]");

        Assert.Equal(-32600, code);
    }
}
