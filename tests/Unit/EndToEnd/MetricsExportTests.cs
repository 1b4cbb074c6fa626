using System.Net;
using System.Text;
using Amp.Extraction.DevChains;
using Amp.Support;

namespace Amp.EndToEnd;

/// <summary>Metrics arrive at a collector by OTLP: a real HTTP server, the exporter's own bytes.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class MetricsExportTests(PostgresFixture postgres)
{
    [ToolFact("postgres")]
    public async Task Worker_SendsCountsOfItsEvents_WithItsName()
    {
        using var collector = new HttpListener();
        var url = $"http://127.0.0.1:{TestTools.FreePort()}/v1/metrics/";
        collector.Prefixes.Add(url);
        collector.Start();
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 10 });
        await using var deployment = await TestDeployment.CreateAsync(
            postgres, ("opentelemetry.metrics_url", url), ("opentelemetry.metrics_export_interval_secs", "0.2"),
            ("worker_events.enabled", "true"), ("worker_events.kafka.brokers", "127.0.0.1:1"));
        await deployment.RegisterProviderAsync(chain.Url);
        await deployment.RegisterDatasetAsync("metrics/devnet");
        await using var worker = await deployment.StartWorkerAsync("counted-01");

        var receiving = ReceiveAsync(collector, "amp.sync_events.queue_depth");
        await deployment.CompleteJobAsync("metrics/devnet", 9);
        var body = await receiving.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Contains("counted-01", body, StringComparison.Ordinal);
        Assert.Contains("service.instance.id", body, StringComparison.Ordinal);
    }

    /// <summary>The first message that names a metric; names are plain text in it.</summary>
    private static async Task<string> ReceiveAsync(HttpListener collector, string metric)
    {
        while (true)
        {
            var context = await collector.GetContextAsync();
            using var body = new MemoryStream();
            await context.Request.InputStream.CopyToAsync(body);
            context.Response.Close();
            var text = Encoding.Latin1.GetString(body.ToArray());
            if (context.Request.ContentType == "application/x-protobuf" && text.Contains(metric, StringComparison.Ordinal))
            {
                return text;
            }
        }
    }
}
