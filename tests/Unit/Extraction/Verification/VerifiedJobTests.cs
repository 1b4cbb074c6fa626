using System.Globalization;
using System.Text.Json.Nodes;
using Amp.Datasets;
using Amp.Extraction.DevChains;
using Amp.Hosting;
using Amp.MetadataDb;
using Amp.Support;

namespace Amp.Extraction.Verification;

/// <summary>Jobs that ask for verification, from the client to the committed files.</summary>
[Collection(PostgresFixture.Collection)]
public sealed class VerifiedJobTests(PostgresFixture postgres)
{
    private const string Dataset = "test/verified";

    [ToolFact("postgres")]
    public async Task Job_WithVerification_CompletesOnAnHonestChain()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 200 });
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        await deployment.RegisterProviderAsync(chain.Url);
        await deployment.RegisterDatasetAsync(Dataset);
        await using var worker = await deployment.StartWorkerAsync();

        var job = await deployment.CompletedAsync(await StartAsync(deployment, 199));

        Assert.True(job.Descriptor!.Verify);
        Assert.Equal(new BlockRange(0, 199), await deployment.CommittedAsync(Dataset));
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
    }

    [ToolFact("postgres")]
    public async Task Job_WithVerification_FailsOnALieAndCommitsNothingOfThatBlock()
    {
        const ulong wrong = 60;
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 100 });
        await using var liar = new LyingChain(chain.Url, (method, result) =>
        {
            // A transaction that sent its value to somebody else.
            if (method != "eth_getBlockByNumber" || result["number"]!.GetValue<string>() != $"0x{wrong:x}"
                || result["transactions"]!.AsArray() is not { Count: > 0 } transactions || transactions[0] is not JsonObject)
            {
                return false;
            }

            transactions[0]!["to"] = "0x00000000000000000000000000000000000000ff";
            return true;
        });
        await using var deployment = await TestDeployment.CreateAsync(postgres, ("writer.bytes", "1"));
        await deployment.RegisterProviderAsync(liar.Url);
        await deployment.RegisterDatasetAsync(Dataset);
        await using var worker = await deployment.StartWorkerAsync();

        var job = await deployment.WaitAsync(await StartAsync(deployment, 99));

        Assert.Equal((AmpJobStatus.Error, "BLOCK_VERIFICATION_FAILED"), (job.Status, job.ErrorCode));
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"Block {wrong} failed verification: tx_hash of transaction 0"), job.ErrorMessage, StringComparison.Ordinal);
        Assert.True(liar.Lies > 1);
        foreach (var table in EvmRpcManifest.TableNames)
        {
            Assert.True(await deployment.CommittedAsync(Dataset, table) is not { } range || range.End < wrong);
        }

        await TableChecks.AssertConsistentAsync(deployment.Deployment);
    }

    [ToolFact("postgres")]
    public async Task Job_WithoutVerification_BelievesALie()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 20 });
        await using var liar = new LyingChain(chain.Url, (method, result) =>
        {
            if (method != "eth_getBlockByNumber")
            {
                return false;
            }

            result["gasUsed"] = "0x1";
            return true;
        });
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        await deployment.RegisterProviderAsync(liar.Url);
        await deployment.RegisterDatasetAsync(Dataset);
        await using var worker = await deployment.StartWorkerAsync();

        await deployment.CompleteJobAsync(Dataset, 19);

        Assert.True(liar.Lies >= 20);
        Assert.Equal(new BlockRange(0, 19), await deployment.CommittedAsync(Dataset));
    }

    [ToolFact("postgres")]
    public async Task StartJob_WithVerificationOfADatasetThatLacksTables_IsRefusedBeforeAnythingIsStored()
    {
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        await deployment.RegisterProviderAsync(new Uri("http://127.0.0.1:1/"));
        var dataset = await deployment.RegisterDatasetAsync(Dataset, tables: ["blocks", "logs"]);
        await using var worker = await deployment.StartWorkerAsync();

        var refused = await Assert.ThrowsAsync<AmpException>(() => StartAsync(deployment, 10));

        Assert.Equal("VerificationNeedsTables", refused.ErrorCode);
        Assert.Contains("lacks transactions", refused.Message, StringComparison.Ordinal);
        Assert.Empty(await deployment.Client.GetJobsAsync(new JobQuery(), CancellationToken.None).ToListAsync());

        // A job that somebody else stored ends the same way, before it asks the node for anything.
        var scheduled = await new JobScheduler(deployment.Database).ScheduleAsync(new AmpJobDescriptor
        {
            Kind = "materialize-raw", DatasetNamespace = "test", DatasetName = "verified", ManifestHash = dataset.ManifestHash, EndBlock = "10", Verify = true,
        });
        var job = await deployment.WaitAsync(await deployment.Client.GetJobAsync(scheduled.JobId, CancellationToken.None));
        Assert.Equal((AmpJobStatus.Fatal, "VERIFICATION_NEEDS_TABLES"), (job.Status, job.ErrorCode));
        Assert.Empty(await deployment.Client.GetTablesAsync(CancellationToken.None).ToListAsync());
    }

    private static Task<AmpJob> StartAsync(TestDeployment deployment, ulong endBlock) => deployment.Client.StartJobAsync(
        new StartJobRequest(DatasetReference.Parse(Dataset), endBlock.ToString(CultureInfo.InvariantCulture)) { Verify = true }, CancellationToken.None);
}
