namespace Amp.Configuration;

public sealed class NodeIdTests
{
    [Theory]
    [InlineData("worker-01")]
    [InlineData("indexer-node-1")]
    [InlineData("eu_west_1a_worker")]
    [InlineData("worker.production.01")]
    [InlineData("w")]
    public void Validate_WhenValid_ReturnsIt(string nodeId) => Assert.Equal(nodeId, NodeId.Validate(nodeId));

    [Theory]
    [InlineData("1-worker")]
    [InlineData("worker@01")]
    [InlineData("worker#01")]
    [InlineData("worker-01\n")]
    [InlineData("wörker")]
    [InlineData(" worker")]
    [InlineData("")]
    [InlineData(null)]
    public void Validate_WhenInvalid_RefusesWithTheRuleAndAnExample(string? nodeId)
    {
        var error = Assert.Throws<AmpException>(() => NodeId.Validate(nodeId));

        Assert.Equal(("InvalidNodeId", AmpErrorKind.InvalidInput), (error.ErrorCode, error.Kind));
        Assert.Contains("a letter (a-z, A-Z), then letters, digits, '_', '-' and '.'", error.Message, StringComparison.Ordinal);
        Assert.Contains("worker-01", error.RecommendedAction!, StringComparison.Ordinal);
    }
}
