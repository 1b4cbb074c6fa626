using Amp.Support;

namespace Amp.EndToEnd;

/// <summary><c>ampd demo</c>, which is what a newcomer without PowerShell sees first.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class DemoTests
{
    [KafkaFact("postgres")]
    public async Task Demo_ExtractsItsBlocksAndReadsBackItsEvents()
    {
        var folder = Directory.CreateTempSubdirectory("amp-demo-").FullName;
        try
        {
            var (exitCode, output) = await AmpdProcess.RunAsync(folder, "demo", "--blocks", "1000", "--path", "demo");

            Assert.True(exitCode == 0, output);
            Assert.Matches(@"blocks +1000 rows", output);
            foreach (var kind in new[] { "sync.started", "sync.progress", "sync.completed" })
            {
                Assert.Matches($@"\d+ {kind}", output);
            }

            Assert.NotEmpty(Directory.GetFiles(Path.Combine(folder, "demo", "data"), "*.parquet", SearchOption.AllDirectories));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
