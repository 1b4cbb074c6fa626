using System.Text;
using System.Text.Json.Nodes;
using Amp.Extraction.EvmRpc;

namespace Amp.Datasets;

public sealed class ManifestJsonTests
{
    [Fact]
    public void Compute_WhenMainnetFromBlock15000000_HasTheHashThatADeploymentGivesIt()
    {
        var manifest = EvmRpcManifest.Generate("mainnet", 15_000_000);

        // SHA-256 of the same manifest as another program canonicalized it.
        Assert.Equal("429dc6fc6e9bb3098ddb7e58be857f5f8e00e6f049001cd9ffa7609bdb9597be", ManifestHash.Compute(manifest));
    }

    [Fact]
    public void Write_WhenOneTable_SpellsMembersAndTypesAsDeploymentsDo()
    {
        var logs = Encoding.UTF8.GetString(ManifestJson.Write(EvmRpcManifest.Generate("base", 7, true, ["logs"])));
        var transactions = Encoding.UTF8.GetString(ManifestJson.Write(EvmRpcManifest.Generate("base", tables: ["transactions"])));

        Assert.StartsWith(
            "{\"kind\":\"evm-rpc\",\"network\":\"base\",\"start_block\":7,\"finalized_blocks_only\":true,\"tables\":{\"logs\":{\"schema\":{\"arrow\":{\"fields\":["
            + "{\"name\":\"_block_num\",\"type\":\"UInt64\",\"nullable\":false},{\"name\":\"block_hash\",\"type\":{\"FixedSizeBinary\":32},\"nullable\":false},"
            + "{\"name\":\"block_num\",\"type\":\"UInt64\",\"nullable\":false},{\"name\":\"timestamp\",\"type\":{\"Timestamp\":[\"Nanosecond\",\"+00:00\"]},\"nullable\":false},",
            logs,
            StringComparison.Ordinal);
        Assert.EndsWith(",{\"name\":\"data\",\"type\":\"Binary\",\"nullable\":false}]}},\"network\":\"base\"}}}", logs, StringComparison.Ordinal);
        Assert.Contains("{\"name\":\"gas_price\",\"type\":{\"Decimal128\":[38,0]},\"nullable\":true}", transactions, StringComparison.Ordinal);
        Assert.Contains(
            "{\"name\":\"blob_versioned_hashes\",\"type\":{\"List\":{\"name\":\"item\",\"data_type\":{\"FixedSizeBinary\":32},\"nullable\":false,"
            + "\"dict_id\":0,\"dict_is_ordered\":false,\"metadata\":{}}},\"nullable\":true}",
            transactions,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Canonicalize_WhenLayoutOrderAndDefaultsDiffer_YieldsTheSameBytes()
    {
        var canonical = ManifestJson.Write(EvmRpcManifest.Generate("a \"quoted\" \\ nêt\u0001\t\u007f😀"));
        var json = JsonNode.Parse(canonical)!.AsObject();
        json.Remove("start_block");
        json.Remove("finalized_blocks_only");
        var reversed = Reverse(json)!.AsObject();
        reversed["$schema"] = "https://example.org/raw.spec.json";
        var text = reversed.ToJsonString(new() { WriteIndented = true });

        Assert.NotEqual(canonical, Encoding.UTF8.GetBytes(text));
        Assert.Equal(canonical, ManifestJson.Canonicalize(Encoding.UTF8.GetBytes("\uFEFF" + text), "test"));
        Assert.Contains("nêt\\u0001\\t\u007f😀", Encoding.UTF8.GetString(canonical), StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_WhenGenerated_ReadsWhatWasWritten()
    {
        var manifest = EvmRpcManifest.Generate("mainnet", ulong.MaxValue, finalizedBlocksOnly: true, ["transactions", "blocks"]);

        var read = ManifestJson.Parse(ManifestJson.Write(manifest), "test");

        Assert.Equal((manifest.Network, manifest.StartBlock, true), (read.Network, read.StartBlock, read.FinalizedBlocksOnly));
        Assert.Equal(["blocks", "transactions"], read.Tables.Select(table => table.Name).ToArray());
        Assert.Equal(EvmTables.Blocks.Fields, read.Tables[0].Fields);
        Assert.Equal(27, read.Tables[1].Columns.Count);
    }

    [Fact]
    public void Parse_WhenBlockNumColumnIsLeftOut_KeepsItLeftOut()
    {
        var json = Change("_block_num", remove: true);

        var canonical = ManifestJson.Canonicalize(json, "test");

        Assert.DoesNotContain("_block_num", Encoding.UTF8.GetString(canonical), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{", "InvalidManifest", "it is not JSON")]
    [InlineData("[]", "InvalidManifest", "'kind' is missing")]
    [InlineData("""{"kind":"solana"}""", "UnknownDatasetKind", "of the kind 'solana'")]
    [InlineData("""{"kind":"evm-rpc"}""", "InvalidManifest", "'network' is missing")]
    [InlineData("""{"kind":"evm-rpc","kind":"evm-rpc"}""", "InvalidManifest", "it is not JSON")]
    [InlineData("""{"kind":"evm-rpc","network":""}""", "InvalidManifest", "network must be text")]
    [InlineData("""{"kind":"evm-rpc","network":"\ud800"}""", "InvalidManifest", "not Unicode")]
    [InlineData("""{"kind":"evm-rpc","network":"m","tables":{}}""", "InvalidManifest", "at least one table")]
    [InlineData("""{"kind":"evm-rpc","network":"m","start_blok":1,"tables":{}}""", "InvalidManifest", "'start_blok' is not a known member; did you mean start_block?")]
    [InlineData("""{"kind":"evm-rpc","network":"m","start_block":-1,"tables":{"logs":{}}}""", "InvalidManifest", "start_block must be a block number")]
    [InlineData("""{"kind":"evm-rpc","network":"m","tables":{"traces":{}}}""", "UnknownTable", "a table 'traces'")]
    [InlineData("""{"kind":"evm-rpc","network":"m","tables":{"logs":5}}""", "InvalidManifest", "tables.logs must be an object")]
    [InlineData("""{"kind":"evm-rpc","network":"m","tables":{"logs":{"network":"n"}}}""", "InvalidManifest", "tables.logs.network is 'n', but the dataset's network is 'm'")]
    [InlineData("""{"kind":"evm-rpc","network":"m","tables":{"logs":{"network":"m","schema":{"arrow":{}}}}}""", "InvalidManifest", "'tables.logs.schema.arrow.fields' is missing")]
    public void Parse_WhenInvalid_SaysWhatAndWhere(string json, string code, string expected)
    {
        var error = Assert.Throws<AmpException>(() => ManifestJson.Parse(Encoding.UTF8.GetBytes(json), "my.json"));

        Assert.Equal(code, error.ErrorCode);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("my.json", error.Message, StringComparison.Ordinal);
        Assert.NotNull(error.RecommendedAction);
    }

    [Fact]
    public void Parse_WhenAColumnDiffers_NamesItAndBothTypes()
    {
        AssertMismatch(Change("topic0", type: "\"Utf8\""), "'topic0' is stated as \"Utf8\" (nullable), but is {\"FixedSizeBinary\":32} (nullable)");
        AssertMismatch(Change("topic0", type: "{\"Decimal256\":[38,0]}"), "'topic0' is stated as {\"Decimal256\":[38,0]} (nullable), but is");
        AssertMismatch(Change("timestamp", type: "{\"Timestamp\":[\"Second\",\"+00:00\"]}"), "but is {\"Timestamp\":[\"Nanosecond\",\"+00:00\"]} (not null)");
        AssertMismatch(Change("topic0", nullable: false), "'topic0' is stated as {\"FixedSizeBinary\":32} (not null), but is {\"FixedSizeBinary\":32} (nullable)");
        AssertMismatch(Change("topic0", name: "topic9"), "'topic9' is not one of its columns; 'topic0' is missing");
        AssertMismatch(Change("topic0", name: "topic1"), "'topic1' is stated 2 times; 'topic0' is missing");
        AssertMismatch(Change("data", remove: true), "'data' is missing");
    }

    [Fact]
    public void Parse_WhenColumnsAreInAnotherOrder_RefusesThem()
    {
        var json = JsonNode.Parse(ManifestJson.Write(EvmRpcManifest.Generate("m", tables: ["logs"])))!;
        var fields = json["tables"]!["logs"]!["schema"]!["arrow"]!["fields"]!.AsArray();
        var last = fields[^1]!;
        fields.RemoveAt(fields.Count - 1);
        fields.Insert(0, last);

        AssertMismatch(Encoding.UTF8.GetBytes(json.ToJsonString()), "the order of columns must be _block_num, block_hash");
    }

    [Fact]
    public void Parse_WhenANestedFieldHasMetadata_TakesItForAnotherType()
    {
        var json = Encoding.UTF8.GetString(ManifestJson.Write(EvmRpcManifest.Generate("m", tables: ["transactions"])));

        AssertMismatch(
            Encoding.UTF8.GetBytes(json.Replace("\"metadata\":{}", "\"metadata\":{\"a\":\"b\"}", StringComparison.Ordinal)), "'access_list' is stated as");
    }

    [Fact]
    public void Generate_WhenItMakesNoSense_RefusesIt()
    {
        Assert.Equal("UnknownTable", Assert.Throws<AmpException>(() => EvmRpcManifest.Generate("m", tables: ["log"])).ErrorCode);
        Assert.Equal("InvalidManifest", Assert.Throws<AmpException>(() => EvmRpcManifest.Generate(" ")).ErrorCode);
        Assert.Equal("InvalidManifest", Assert.Throws<AmpException>(() => EvmRpcManifest.Generate("m", tables: [])).ErrorCode);
    }

    private static void AssertMismatch(byte[] json, string expected)
    {
        var error = Assert.Throws<AmpException>(() => ManifestJson.Parse(json, "test"));
        Assert.Equal("ColumnMismatch", error.ErrorCode);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    private static byte[] Change(string column, string? type = null, bool? nullable = null, string? name = null, bool remove = false)
    {
        var json = JsonNode.Parse(ManifestJson.Write(EvmRpcManifest.Generate("m", tables: ["logs"])))!;
        var fields = json["tables"]!["logs"]!["schema"]!["arrow"]!["fields"]!.AsArray();
        var field = fields.Single(field => (string?)field!["name"] == column)!.AsObject();
        if (remove)
        {
            fields.Remove(field);
        }

        field["type"] = type is null ? field["type"]!.DeepClone() : JsonNode.Parse(type);
        field["nullable"] = nullable ?? (bool)field["nullable"]!;
        field["name"] = name ?? column;
        return Encoding.UTF8.GetBytes(json.ToJsonString());
    }

    /// <summary>The same JSON with the members of every object in the opposite order.</summary>
    private static JsonNode? Reverse(JsonNode? node) => node switch
    {
        JsonObject members => new JsonObject(members.Reverse().Select(member => KeyValuePair.Create(member.Key, Reverse(member.Value)))),
        JsonArray items => new JsonArray([.. items.Select(Reverse)]),
        _ => node?.DeepClone(),
    };
}
