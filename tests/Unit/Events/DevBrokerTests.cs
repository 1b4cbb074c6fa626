using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Amp.Support;

namespace Amp.Events;

public class DevBrokerTests
{
    [KafkaFact("kcat")]
    public async Task StartAsync_WithTopics_ShowsThemToAnotherProcess()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions { Topics = [new("one", 1), new("seven", 7)] });

        var listing = await ListAsync(broker.BootstrapServers);

        Assert.Contains($"broker 1 at {broker.BootstrapServers}", listing, StringComparison.Ordinal);
        Assert.Contains("topic \"one\" with 1 partitions", listing, StringComparison.Ordinal);
        Assert.Contains("topic \"seven\" with 7 partitions", listing, StringComparison.Ordinal);
        Assert.StartsWith("127.0.0.1:", broker.BootstrapServers, StringComparison.Ordinal);
    }

    [KafkaFact("kcat")]
    public async Task StartAsync_WithPort_IsReachedOnlyThere()
    {
        int port;
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            port = ((IPEndPoint)probe.LocalEndpoint).Port;
        }

        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions { Port = port });

        Assert.Equal($"127.0.0.1:{port}", broker.BootstrapServers);
        Assert.Contains($"broker 1 at 127.0.0.1:{port}", await ListAsync(broker.BootstrapServers), StringComparison.Ordinal);
    }

    [KafkaFact]
    public async Task StartAsync_WithAPortThatThereIsNot_IsRefused()
    {
        var error = await Assert.ThrowsAsync<AmpException>(() => DevBroker.StartAsync(new DevBrokerOptions { Port = 65536 }));

        Assert.Equal("DevBrokerPortInvalid", error.ErrorCode);
    }

    [KafkaFact]
    public async Task StartAsync_WhenPortIsInUse_SaysSo()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;

        var error = await Assert.ThrowsAsync<AmpException>(() => DevBroker.StartAsync(new DevBrokerOptions { Port = port }));

        Assert.Equal(("DevBrokerPortInUse", AmpErrorKind.Conflict), (error.ErrorCode, error.Kind));
    }

    [Fact]
    public async Task StartAsync_WithUnusableOptions_IsRefused()
    {
        foreach (var options in new DevBrokerOptions[]
        {
            new() { Topics = [new("a topic")] },
            new() { Topics = [new("", 1)] },
            new() { Topics = [new("topic", 0)] },
            new() { Topics = [new("topic"), new("topic")] },
            new() { Port = 70_000 },
        })
        {
            var error = await Assert.ThrowsAsync<AmpException>(() => DevBroker.StartAsync(options));
            Assert.Equal(AmpErrorKind.InvalidInput, error.Kind);
        }
    }

    [KafkaFact]
    public async Task DisposeAsync_Twice_FreesThePort()
    {
        var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        var port = int.Parse(broker.BootstrapServers.Split(':')[1], provider: null);

        await broker.DisposeAsync();
        await broker.DisposeAsync();

        using var client = new TcpClient();
        await Assert.ThrowsAsync<SocketException>(() => client.ConnectAsync(IPAddress.Loopback, port));
    }

    private static async Task<string> ListAsync(string brokers)
    {
        using var kcat = Process.Start(
            new ProcessStartInfo(TestTools.Require("kcat"), ["-L", "-b", brokers]) { RedirectStandardOutput = true })!;
        var listing = await kcat.StandardOutput.ReadToEndAsync();
        await kcat.WaitForExitAsync();
        return listing;
    }
}
