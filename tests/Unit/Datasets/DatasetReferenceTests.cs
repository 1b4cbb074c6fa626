namespace Amp.Datasets;

public sealed class DatasetReferenceTests
{
    private const string Hash = "B94D27B9934D3E08A52E52D7DA7DABFAC484EFE37A5380EE9088F7ACE2EFCDE9";

    [Theory]
    [InlineData("ethereum/mainnet", null, DatasetVersionKind.None)]
    [InlineData("_/_x9@latest", "latest", DatasetVersionKind.Latest)]
    [InlineData("0xabc/name@dev", "dev", DatasetVersionKind.Dev)]
    [InlineData("pkg:amp/a/b@1.0.0", "1.0.0", DatasetVersionKind.Semantic)]
    [InlineData("a/b@2.1.3-alpha.1+build.123", "2.1.3-alpha.1+build.123", DatasetVersionKind.Semantic)]
    [InlineData("a/b@" + Hash, "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9", DatasetVersionKind.Hash)]
    public void Parse_WhenValid_ReadsItsParts(string text, string? version, DatasetVersionKind kind)
    {
        var reference = DatasetReference.Parse(text);

        Assert.Equal((version, kind), (reference.Version, reference.VersionKind));
        Assert.Equal(reference, DatasetReference.Parse(reference.ToString()));
        Assert.Equal(text.Replace("pkg:amp/", "", StringComparison.Ordinal).Split('@')[0], reference.Dataset);
    }

    [Theory]
    [InlineData("mainnet")]
    [InlineData("Ethereum/mainnet")]
    [InlineData("ethereum/1mainnet")]
    [InlineData("ethereum/main-net")]
    [InlineData("../etc@dev")]
    [InlineData("a/b/c")]
    [InlineData("a/b@")]
    [InlineData("a/b@1.0")]
    [InlineData("a/b@01.0.0")]
    [InlineData("a/b@1.0.0-01")]
    [InlineData("a/b@99999999999999999999.0.0")]
    [InlineData("a/b@b94d27")]
    [InlineData("a/b@newest")]
    [InlineData("a/b\n")]
    [InlineData("a/١")]
    [InlineData("")]
    [InlineData(null)]
    public void Parse_WhenInvalid_RefusesWithTheRule(string? text)
    {
        var error = Assert.Throws<AmpException>(() => DatasetReference.Parse(text!));

        Assert.Equal(("InvalidDatasetReference", AmpErrorKind.InvalidInput), (error.ErrorCode, error.Kind));
        Assert.Contains("namespace/name@version", error.Message, StringComparison.Ordinal);
        Assert.Contains("ethereum/mainnet", error.RecommendedAction!, StringComparison.Ordinal);
    }

    [Fact]
    public void Compare_WhenVersionsAreShuffled_SortsThemByPrecedence()
    {
        string[] sorted =
        [
            "0.9.9", "1.0.0-1", "1.0.0-9", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
            "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0",
        ];
        var shuffled = sorted.ToArray();
        new Random(7).Shuffle(shuffled);

        var versions = shuffled.Select(text => SemanticVersion.TryParse(text, out var version) ? version : null).Order();

        Assert.Equal(sorted, versions.Select(version => version!.ToString()).ToArray());
    }

    [Fact]
    public void Compare_WhenOnlyBuildMetadataDiffers_IsEqual()
    {
        Assert.True(SemanticVersion.TryParse("1.0.0+a", out var left) & SemanticVersion.TryParse("1.0.0+b", out var right));

        Assert.Equal(0, left!.CompareTo(right));
    }
}
