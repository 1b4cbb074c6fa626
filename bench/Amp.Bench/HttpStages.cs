using System.Text;
using Amp.Configuration;
using Amp.Datasets;
using Amp.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Bench;

/// <summary>The stages that fetch blocks over HTTP: reading the answers, reading their tokens as well, and a whole worker.</summary>
/// <param name="chain">Where the chain answers.</param>
/// <param name="blocks">How many blocks to fetch.</param>
/// <param name="warmUpBlocks">How many blocks to fetch before that is measured.</param>
internal sealed class HttpStages(Uri chain, int blocks, int warmUpBlocks)
{
    private const int Connections = 4;

    /// <summary>Fetches all answers and leaves them.</summary>
    public Task<StageResult> DrainAsync() => FetchAsync(_ => { });

    /// <summary>Fetches all answers and reads their tokens.</summary>
    public Task<StageResult> ReadTokensAsync() => FetchAsync(answer => MemoryStages.ReadTokens(answer));

    /// <summary>Has a worker extract the blocks into the three tables of a dataset, with a database and committed files.</summary>
    public async Task<StageResult> WorkAsync(CancellationToken cancellationToken)
    {
        using var folder = new BenchFolder();
        await using var deployment = await AmpDeployment.OpenSoloAsync(folder.Path, NullLoggerFactory.Instance, cancellationToken);
        await deployment.Client.RegisterProviderAsync(
            new ProviderConfig { Name = "chain", Kind = "evm-rpc", Network = "bench", Url = Secret.ForUrl(chain.ToString()), ConcurrentRequestLimit = Connections },
            overwrite: false, cancellationToken);
        await using var worker = await WorkerHost.StartAsync(deployment, "bench", NullLoggerFactory.Instance, cancellationToken);
        await ExtractAsync(deployment, "bench/warmup", warmUpBlocks, cancellationToken);
        return await StageResult.MeasureAsync(blocks, () => ExtractAsync(deployment, "bench/blocks", blocks, cancellationToken));
    }

    private static async Task<long> ExtractAsync(AmpDeployment deployment, string name, int count, CancellationToken cancellationToken)
    {
        var dataset = DatasetReference.Parse(name);
        await deployment.Client.RegisterDatasetAsync(dataset, EvmRpcManifest.Generate("bench").ToJson(), cancellationToken);
        var job = await deployment.Client.StartJobAsync(new StartJobRequest(dataset, EndBlock: $"{count - 1}"), cancellationToken);
        AmpJobProgress progress;
        while ((progress = await deployment.Client.GetJobProgressAsync(job.JobId, cancellationToken)).Status is AmpJobStatus.Scheduled or AmpJobStatus.Running)
        {
            await Task.Delay(20, cancellationToken);
        }

        return progress.Status == AmpJobStatus.Completed
            ? progress.Tables.Sum(table => table.TotalSizeBytes)
            : throw new InvalidOperationException($"the job ended as {progress.Status}: {progress.ErrorMessage}");
    }

    private async Task<StageResult> FetchAsync(Action<ReadOnlySpan<byte>> use)
    {
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = Connections });
        await FetchAsync(http, warmUpBlocks, use);
        return await StageResult.MeasureAsync(blocks, () => FetchAsync(http, blocks, use));
    }

    private async Task<long> FetchAsync(HttpClient http, int count, Action<ReadOnlySpan<byte>> use)
    {
        var next = -1;
        var bytes = 0L;
        await Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => Task.Run(async () =>
        {
            var buffer = new byte[4 << 20];
            int number;
            while ((number = Interlocked.Increment(ref next)) < count)
            {
                Interlocked.Add(ref bytes, await CallAsync(http, $$"""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x{{number:x}}",true]}""", buffer, use));
                Interlocked.Add(ref bytes, await CallAsync(http, $$"""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockReceipts","params":["0x{{number:x}}"]}""", buffer, use));
            }
        })));
        return bytes;
    }

    private async Task<int> CallAsync(HttpClient http, string call, byte[] buffer, Action<ReadOnlySpan<byte>> use)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, chain) { Content = new StringContent(call, Encoding.UTF8, "application/json") };
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await using var stream = await response.Content.ReadAsStreamAsync();
        var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false);
        use(buffer.AsSpan(0, length));
        return length;
    }
}
