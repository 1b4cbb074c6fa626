namespace Amp.Events;

/// <summary>What a development broker offers.</summary>
public sealed record DevBrokerOptions
{
    /// <summary>The topics to create. Others are not created, unless a client asks for that by itself.</summary>
    public IReadOnlyList<DevBrokerTopic> Topics { get; init; } = [new("amp.worker.events", 16)];

    /// <summary>Port on 127.0.0.1, 1 to 65535; null for any free one.</summary>
    public int? Port { get; init; }
}

/// <summary>A topic of a development broker.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Partitions">How many partitions it has, 1 to 1000.</param>
public sealed record DevBrokerTopic(string Name, int Partitions = 16);
