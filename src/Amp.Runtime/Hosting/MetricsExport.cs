using Amp.Configuration;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Amp.Hosting;

/// <summary>Sends this process's metrics (all meters named <c>Amp.*</c>) to a collector, by OTLP over HTTP.</summary>
internal static class MetricsExport
{
    /// <summary>How long the end waits for what is still to be sent.</summary>
    private const int FlushMilliseconds = 2_000;

    /// <summary>Begins to send; null where no collector is set. Disposing it sends what is left. A collector that is away costs nothing but its metrics.</summary>
    /// <param name="configuration">Where to, and how often.</param>
    /// <param name="instance">What tells this process from others: the node id.</param>
    /// <param name="version">The build's version.</param>
    public static IDisposable? Start(OpenTelemetryConfiguration configuration, string instance, string? version) =>
        configuration.MetricsUrl is not { } url ? null : Sdk.CreateMeterProviderBuilder()
            .ConfigureResource(resource => resource.AddService("amp", serviceVersion: version, serviceInstanceId: instance))
            .AddMeter("Amp.*")
            .AddOtlpExporter((exporter, reader) =>
            {
                exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
                exporter.Endpoint = new Uri(url.Reveal());
                exporter.TimeoutMilliseconds = FlushMilliseconds;
                reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = (int)configuration.MetricsExportInterval.TotalMilliseconds;
            })
            .Build();
}
