using Amp.Support;

namespace Amp.Events;

/// <summary>The judge itself is judged first: values published with Kafka's Java client.</summary>
public class Murmur2Tests
{
    [Theory]
    [InlineData("21", -973932308)]
    [InlineData("foobar", -790332482)]
    [InlineData("a-little-bit-long-string", -985981536)]
    [InlineData("a-little-bit-longer-string", -1486304829)]
    [InlineData("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971)]
    [InlineData("abc", 479470107)]
    public void Hash_OfPublishedVectors_IsTheJavaClients(string key, int hash) => Assert.Equal(hash, Murmur2.Hash(key));
}
