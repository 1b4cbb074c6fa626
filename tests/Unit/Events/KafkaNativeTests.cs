using Amp.Support;
using Xunit.Abstractions;

namespace Amp.Events;

public class KafkaNativeTests(ITestOutputHelper output)
{
    [KafkaFact]
    public void Version_OfTheLibraryFound_IsRecentEnough()
    {
        output.WriteLine($"librdkafka {KafkaNative.Version} from {KafkaNative.Location}");

        Assert.True(Version.Parse(KafkaNative.Version.Split('-', '_')[0]) >= new Version(2, 6));
    }

    [Fact]
    public void Find_WhenTheNamedLibraryIsNotThere_SaysSoAndWhatToDo()
    {
        var error = Assert.Throws<AmpException>(() => KafkaNative.Find("/nowhere/librdkafka.so"));

        Assert.Equal("KafkaLibraryMissing", error.ErrorCode);
        Assert.Contains("/nowhere/librdkafka.so", error.Message, StringComparison.Ordinal);
        Assert.Contains("eng/get-librdkafka.sh", error.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public void Find_WhenTheNamedLibraryIsAnother_RefusesIt()
    {
        var another = OperatingSystem.IsWindows() ? "kernel32.dll" : OperatingSystem.IsMacOS() ? "libSystem.dylib" : "libm.so.6";

        var error = Assert.Throws<AmpException>(() => KafkaNative.Find(another));

        Assert.Contains($"'{another}' is older than 2.6 or not librdkafka", error.Message, StringComparison.Ordinal);
    }
}
